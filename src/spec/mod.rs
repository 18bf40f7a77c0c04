//! The runtime-spec's config as the container core takes it (being written).

//! Threads (being written by the pipeline).

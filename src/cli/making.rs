//! What `create` and `run` have in common: from words to a container that is to be made.

use super::arguments::Arguments;
use super::container::Container;
use super::max_size::MaxSize;
use super::notices::warn;
use super::options::{self, Format};
use super::progress::Progress;
use super::{container, image, settings};
use crate::codec::json::Writer;
use crate::container::Running;
use crate::container::notify::Relay;
use crate::container::state::{Id, Root};
use crate::engine::EngineMemory;
use crate::engine::bundle::FromImage;
use crate::engine::create::{Create, Source, Start, create, plan};
use crate::engine::notify::Notify;
use crate::engine::service_manager::PRESERVED_MAX;
use crate::io::lossy::LossyC;
use crate::io::output::Output;
use crate::io::text::decimal;
use crate::spec::settings::Draft;
use crate::sys::fd::STDOUT;
use crate::{Context, Error, Result};

/// Returns the sockets and the file that hear of the process.
pub fn notify<'a>(arguments: &Arguments<'a>) -> Result<Notify<'a>> {
    Notify::connect(
        arguments.value("console-socket"),
        arguments.value("pidfd-socket"),
        arguments.value("pid-file"),
    )
}

/// Returns the number of --preserve-fds.
pub fn preserved(arguments: &Arguments<'_>) -> Result<u32> {
    let text = arguments.value("preserve-fds").unwrap_or(c"0");
    let count = decimal(text.to_bytes()).filter(|count| *count < PRESERVED_MAX);
    count
        .map(|count| count as u32)
        .ok_or_else(|| Error::new(format_args!("--preserve-fds {}: not a number", LossyC(text))))
}

/// Prints what would be made of a bundle.
pub fn dry_run(arguments: &Arguments<'_>) -> Result<i32> {
    if arguments.value("image").is_some() {
        return Err(Error::new(format_args!(
            "--dry-run is for a bundle: an image's config depends on what it unpacks to"
        )));
    }
    let format = options::parse_format(arguments, "text")?;
    let Container { root, id } = container::parse(arguments)?;
    let root = root.open()?;
    // Nobody is told of a process: none is made.
    let notify = Notify::connect(None, None, None)?;
    let wanted = Create {
        root: &root,
        id,
        start: Start::Later,
        stays: true,
        notify: &notify,
        preserved: preserved(arguments)?,
        relay: None,
        no_pivot: arguments.has("no-pivot"),
        without_cgroup: arguments.value("cgroup-manager") == Some(c"disabled"),
        keeps_keyring: arguments.has("no-new-keyring"),
    };
    let memory = &mut crate::memory::claim().engine;
    let mut output = Output::new(STDOUT);
    plan(&wanted, arguments.value("bundle"), memory, &warn, &mut |plan, place| match format {
        Format::Program => plan.write(place, &mut Writer::with_indent(&mut output, "  ")),
        Format::Person => plan.write_text(place, &mut output),
    })?;
    output.finish().doing("write standard output").map(|()| 0)
}

/// Makes the container that the words ask for. `stays`: the caller stays with it.
pub fn make(
    arguments: &Arguments<'_>,
    root: &Root,
    id: Id<'_>,
    start: Start,
    stays: bool,
    relay: Option<&Relay>,
    memory: &mut EngineMemory,
) -> Result<Running> {
    let preserved = preserved(arguments)?;
    let notify = notify(arguments)?;
    let wanted = Create {
        root,
        id,
        start,
        stays,
        notify: &notify,
        preserved,
        relay,
        no_pivot: arguments.has("no-pivot"),
        without_cgroup: arguments.value("cgroup-manager") == Some(c"disabled"),
        keeps_keyring: arguments.has("no-new-keyring"),
    };
    // Without an image nothing reads these options: `Source::Bundle` refuses them.
    let (limit, draft) = match arguments.value("image") {
        Some(_) => (MaxSize::parse(arguments)?, settings::parse(arguments)?),
        None => (MaxSize::none(), Draft::EMPTY),
    };
    let mut args = arguments.words().skip(1).map(|word| word.to_bytes());
    let has_args = arguments.words().nth(1).is_some();
    let source = match (arguments.value("image"), arguments.value("bundle")) {
        (Some(_), Some(_)) => {
            return Err(Error::new(format_args!("--image and --bundle: one or the other")));
        }
        (Some(name), None) => Source::Image(FromImage {
            image: image::parse_named(arguments, name, &limit)?,
            args: if has_args { Some(&mut args) } else { None },
            draft: &draft,
        }),
        (None, _) if has_args => {
            return Err(Error::new(format_args!(
                "arguments are for --image: a bundle has its own in config.json"
            )));
        }
        (None, bundle) => {
            for option in ["privileged", "security-opt", "ulimit"] {
                if arguments.has(option) {
                    return Err(Error::new(format_args!(
                        "--{option} is for --image: a bundle has its own in config.json"
                    )));
                }
            }
            Source::Bundle(bundle)
        }
    };
    let progress = Progress::new(limit.again());
    create(&wanted, source, &progress, memory, &warn)
}

//! The common part of `create` and `run`: from options to a container.

use super::arguments::{Arguments, TypedWords};
use super::container::{self, Container};
use super::image;
use super::max_size::MaxSize;
use super::notices::warn;
use super::options::{self, Format};
use super::print::to_stdout;
use super::progress::Progress;
use super::settings;
use crate::codec::json::Writer;
use crate::engine::bundle::FromImage;
use crate::engine::create::{Create, Source, plan};
use crate::engine::resolve::ImageQuery;
use crate::io::observer::Observer;
use crate::spec::settings::Draft;
use crate::{Error, Result};
use core::ffi::CStr;

/// What is typed.
pub(super) enum Typed<'a> {
    /// A container that is to be made.
    Make(Making<'a>),
    /// A bundle whose plan is to be printed.
    Plan(DryRun<'a>),
}

/// A container that is to be made.
pub(super) struct Making<'a> {
    create: Create<'a>,
    from: From<'a>,
}

/// What it is made of.
enum From<'a> {
    Bundle(Option<&'a CStr>),
    Image {
        /// Without its limit.
        image: ImageQuery<'a>,
        limit: MaxSize,
        draft: Draft<'a>,
        /// In place of the image's `Cmd`, if there are any.
        args: Option<TypedWords<'a>>,
    },
}

/// A bundle whose plan is to be printed.
pub(super) struct DryRun<'a> {
    create: Create<'a>,
    bundle: Option<&'a CStr>,
    format: Format,
}

/// Returns what is to be made, or only printed.
pub(super) fn parse<'a>(arguments: &Arguments<'a>) -> Result<Typed<'a>> {
    if arguments.has("dry-run") {
        return parse_dry_run(arguments).map(Typed::Plan);
    }
    let create = parse_create(arguments)?;
    let mut words = arguments.words();
    let _ = words.next();
    let has_args = arguments.words().nth(1).is_some();
    let from = match (arguments.value("image"), arguments.value("bundle")) {
        (Some(_), Some(_)) => {
            return Err(Error::new(format_args!("--image and --bundle: one or the other")));
        }
        (Some(name), None) => {
            let limit = MaxSize::parse(arguments)?;
            let draft = settings::parse(arguments)?;
            let image = image::parse_named(arguments, name, &())?;
            From::Image { image, limit, draft, args: has_args.then_some(words) }
        }
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
            From::Bundle(bundle)
        }
    };
    Ok(Typed::Make(Making { create, from }))
}

fn parse_dry_run<'a>(arguments: &Arguments<'a>) -> Result<DryRun<'a>> {
    if arguments.value("image").is_some() {
        return Err(Error::new(format_args!(
            "--dry-run is for a bundle: an image's config depends on what it unpacks to"
        )));
    }
    let format = options::parse_format(arguments, "text")?;
    Ok(DryRun { create: parse_create(arguments)?, bundle: arguments.value("bundle"), format })
}

fn parse_create<'a>(arguments: &Arguments<'a>) -> Result<Create<'a>> {
    let Container { root, id } = container::parse(arguments)?;
    Ok(Create {
        root,
        id,
        listeners: options::parse_listeners(arguments),
        preserved: options::parse_preserved(arguments)?,
        no_pivot: arguments.has("no-pivot"),
        without_cgroup: arguments.value("cgroup-manager") == Some(c"disabled"),
        keeps_keyring: arguments.has("no-new-keyring"),
    })
}

/// Makes a container, and may stay with it. Returns the exit status.
pub(super) type Make<'m> = &'m mut dyn FnMut(&Create<'_>, Source<'_>, &dyn Observer) -> Result<i32>;

impl Making<'_> {
    /// Has `make` make it.
    pub fn carry_out(self, make: Make<'_>) -> Result<i32> {
        let Making { create, from } = self;
        match from {
            From::Bundle(path) => make(&create, Source::Bundle(path), &()),
            From::Image { image, limit, draft, args } => {
                let mut args = args.map(|words| words.map(|word| word.to_bytes()));
                let progress = Progress::new(limit.again());
                let from = FromImage {
                    image: ImageQuery { limit: &limit, ..image },
                    args: args.as_mut().map(|args| args as &mut dyn Iterator<Item = _>),
                    draft: &draft,
                };
                make(&create, Source::Image(from), &progress)
            }
        }
    }
}

impl DryRun<'_> {
    /// Prints what would be made.
    pub fn print(&self) -> Result<i32> {
        let DryRun { create, bundle, format } = self;
        let memory = &mut crate::memory::claim().engine;
        to_stdout(|output| {
            plan(create, *bundle, memory, &warn, &mut |plan, place| match format {
                Format::Program => plan.write(place, &mut Writer::with_indent(output, "  ")),
                Format::Person => plan.write_text(place, output),
            })
        })
        .map(|()| 0)
    }
}

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
use crate::cgroup::Manager;
use crate::codec::json::Writer;
use crate::engine::bundle::FromImage;
use crate::engine::create::{Create, Source, plan};
use crate::engine::resolve::ImageQuery;
use crate::io::observer::Observer;
use crate::spec::settings::Draft;
use crate::{Error, Result};
use core::ffi::CStr;

/// The options that `create` and `run` share.
pub(super) struct CreateOptions<'a> {
    /// The format of the plan, if it is only printed.
    pub dry_run: Option<Format>,
    create: Create<'a>,
    /// The bundle; None for the current directory.
    bundle: Option<&'a CStr>,
    /// The image that replaces a bundle, without its limit.
    image: Option<ImageQuery<'a>>,
    limit: MaxSize,
    draft: Draft<'a>,
    /// The arguments that replace the image's `Cmd`.
    args: Option<TypedWords<'a>>,
}

/// Returns the options of this command line.
pub(super) fn parse<'a>(arguments: &Arguments<'a>) -> Result<CreateOptions<'a>> {
    let (image, bundle) = (arguments.value("image"), arguments.value("bundle"));
    let dry_run = parse_dry_run(arguments)?;
    let mut wanted = CreateOptions {
        dry_run,
        create: parse_create(arguments)?,
        bundle,
        image: None,
        limit: MaxSize::none(),
        draft: Draft::EMPTY,
        args: None,
    };
    let mut words = arguments.words();
    let _ = words.next();
    let has_args = arguments.words().nth(1).is_some();
    match image {
        Some(_) if bundle.is_some() => {
            return Err(Error::new(format_args!("--image and --bundle: one or the other")));
        }
        Some(name) => {
            wanted.limit = MaxSize::parse(arguments)?;
            wanted.draft = settings::parse(arguments)?;
            wanted.image = Some(image::parse_named(arguments, name, &())?);
            wanted.args = has_args.then_some(words);
        }
        None if has_args => {
            return Err(Error::new(format_args!(
                "arguments are for --image: a bundle has its own in config.json"
            )));
        }
        None => {
            if let Some(option) = settings::parse_any(arguments) {
                return Err(Error::new(format_args!(
                    "--{option} is for --image: a bundle has its own in config.json"
                )));
            }
        }
    }
    Ok(wanted)
}

fn parse_dry_run(arguments: &Arguments<'_>) -> Result<Option<Format>> {
    match (arguments.has("dry-run"), arguments.has("format")) {
        (true, _) => options::parse_format(arguments, "text").map(Some),
        (false, true) => Err(Error::new(format_args!("--format is for --dry-run"))),
        (false, false) => Ok(None),
    }
}

fn parse_create<'a>(arguments: &Arguments<'a>) -> Result<Create<'a>> {
    let Container { root, id } = container::parse(arguments)?;
    Ok(Create {
        root,
        id,
        listeners: options::parse_listeners(arguments),
        preserved: options::parse_preserved(arguments)?,
        no_pivot: arguments.has("no-pivot"),
        manager: match arguments.value("cgroup-manager") == Some(c"disabled") {
            true => Manager::None,
            false => Manager::Cgroupfs,
        },
        keeps_keyring: arguments.has("no-new-keyring"),
    })
}

/// Makes a container, and may stay with it. Returns the exit status.
pub(super) type Make<'m> = &'m mut dyn FnMut(&Create<'_>, Source<'_>, &dyn Observer) -> Result<i32>;

impl CreateOptions<'_> {
    /// Calls `make` with the container and its source. Returns its exit status.
    pub fn carry_out(self, make: Make<'_>) -> Result<i32> {
        let CreateOptions { create, bundle, image, limit, draft, args, .. } = self;
        let Some(image) = image else { return make(&create, Source::Bundle(bundle), &()) };
        let mut args = args.map(|words| words.map(|word| word.to_bytes()));
        let progress = Progress::new(limit.again());
        let from = FromImage {
            image: ImageQuery { limit: &limit, ..image },
            args: args.as_mut().map(|args| args as &mut dyn Iterator<Item = _>),
            draft: &draft,
        };
        make(&create, Source::Image(from), &progress)
    }

    /// Prints the plan of the container.
    pub fn print(self, format: Format) -> Result<i32> {
        let memory = &mut crate::memory::claim().engine;
        self.carry_out(&mut |wanted, source, _| {
            to_stdout(|output| {
                plan(wanted, source, memory, &warn, &mut |plan| match format {
                    Format::Program => plan.write(&mut Writer::with_indent(output, "  ")),
                    Format::Person => plan.write_text(output),
                })
            })
            .map(|()| 0)
        })
    }
}

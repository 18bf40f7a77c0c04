//! docs/man/ocinit.1 and README's table of the options of `run --image`, printed from the tables.

use super::command::{Command, Flag, GLOBAL, Usage};
use super::help::sections;
use super::{built, options, run};
use crate::pages::{hold, hold_table, roff};

fn option(flag: &Flag) -> String {
    let Flag { long, short, value, about } = flag;
    let letter = match short {
        0 => String::new(),
        letter => format!("\\fB\\-{}\\fR, ", char::from(*letter)),
    };
    let value = match value.starts_with('[') || value.is_empty() {
        true => roff(value),
        false => format!(" \\fI{}\\fR", roff(value)),
    };
    format!(".TP\n{letter}\\fB\\-\\-{}\\fR{value}\n{}\n", roff(long), roff(about))
}

fn command(command: &'static Command) -> String {
    let usage = Usage(command).to_string();
    let options: String = command.flags.iter().map(option).collect();
    format!(".SS \"{}\"\n{}\n{options}", roff(&usage), roff(command.about))
}

#[test]
fn the_manual_has_every_command_and_option() {
    let mut page = String::from(
        ".TH OCINIT 1 \"\" \"ocinit\" \"User Commands\"\n.SH NAME\n\
         ocinit \\- init, OCI runtime and image tools in one static program\n\
         .SH SYNOPSIS\n.B ocinit\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR ...\n",
    );
    for (title, commands) in sections() {
        page += &format!(".SH {}\n", title.to_uppercase());
        commands.for_each(|one| page += &command(one));
    }
    page += ".SH \"OPTIONS OF ALL COMMANDS\"\n";
    GLOBAL.iter().for_each(|flag| page += &option(flag));
    page += ".SH \"SEE ALSO\"\n.BR ocinit.conf (5)\n";
    assert_eq!(page.matches(".SS ").count(), built().count());
    hold("docs/man/ocinit.1", &page);
}

#[test]
fn readme_has_the_options_of_an_image() {
    let of_image = [
        options::IMAGE.long,
        options::PLATFORM.long,
        options::REF.long,
        options::MAX_SIZE.long,
        options::TTY.long,
        options::PRIVILEGED.long,
        options::SECURITY_OPT.long,
        options::ULIMIT.long,
    ];
    let flags = run::COMMAND.flags.iter().filter(|flag| of_image.contains(&flag.long));
    let rows: Vec<String> = flags
        .map(|Flag { long, short, value, about }| {
            let letter = match short {
                0 => String::new(),
                letter => format!("`-{}`, ", char::from(*letter)),
            };
            let space = if value.is_empty() { "" } else { " " };
            format!("| {letter}`--{long}{space}{value}` | {about} |").replace("|--", "\\|--")
        })
        .collect();
    assert_eq!(rows.len(), of_image.len());
    hold_table("| option of `run --image` | means |", &rows);
}

use super::super::command::{PASSED_ON, Run};
use super::*;

const TEST: Command = Command {
    name: "test",
    words: "A [B]",
    least: 1,
    most: 2,
    about: "",
    flags: &[Flag::switch("all", b'a', ""), Flag::value("env", b'e', "NAME=VALUE", "")],
    run: Run::Image(|_| Ok(())),
};

fn check<'a>(words: &'a [&'a CStr]) -> Result<Arguments<'a>> {
    Arguments::new(words).of(&const { TEST })
}

#[test]
fn options_stand_anywhere_and_values_in_any_form() {
    let words =
        [c"--quiet", c"test", c"one", c"-ae", c"X=1", c"--env=Y=2", c"-eZ", c"--env", c"", c"two"];
    let arguments = check(&words).unwrap();
    assert_eq!(arguments.name().unwrap(), Some(c"test"));
    assert_eq!((arguments.word(0), arguments.word(1)), (c"one", c"two"));
    assert_eq!(arguments.words().collect::<Vec<_>>(), [c"one", c"two"]);
    assert!(arguments.has("quiet") && arguments.has("all") && !arguments.has("help"));
    assert_eq!(arguments.values("env").collect::<Vec<_>>(), [c"X=1", c"Y=2", c"Z", c""]);
    assert_eq!((arguments.value("env"), arguments.value("all")), (Some(c""), None));
}

static PASSING: Command = Command { name: "exec", most: PASSED_ON, ..TEST };

#[test]
fn what_follows_the_first_word_may_be_somebody_elses() {
    let words =
        [c"exec", c"-a", c"--env", c"X=1", c"id", c"ls", c"--env=Y", c"--", c"-x", c"--help"];
    let arguments = Arguments::new(&words).of(&PASSING).unwrap();
    assert_eq!(
        arguments.words().collect::<Vec<_>>(),
        [c"id", c"ls", c"--env=Y", c"--", c"-x", c"--help"]
    );
    assert_eq!(arguments.values("env").collect::<Vec<_>>(), [c"X=1"]);
    assert!(arguments.has("all") && !arguments.has("help"));
    for words in [[c"exec", c"id", c"--", c"-a"], [c"exec", c"--", c"id", c"-a"]] {
        let arguments = Arguments::new(&words).of(&PASSING).unwrap();
        assert_eq!(arguments.words().collect::<Vec<_>>(), [c"id", c"-a"]);
        assert!(!arguments.has("all"));
    }
    let words = [c"exec", c"--", c"id", c"--", c"-a"];
    let arguments = Arguments::new(&words).of(&PASSING).unwrap();
    assert_eq!(
        arguments.words().collect::<Vec<_>>(),
        [c"id", c"--", c"-a"],
        "the first one ends the options"
    );
}

const MAKING: &[Flag] = &[IMAGE, Flag::switch("detach", b'd', "")];
static RUNNING: Command =
    Command { name: "run", words: "ID [ARG]...", most: 9, flags: MAKING, ..TEST };

#[test]
fn with_an_image_nothing_after_the_id_is_ours() {
    for users in [
        &[c"ls", c"-d", c"/bin"][..],
        &[c"grep", c"-q", c"x"],
        &[c"echo", c"--help"],
        &[c"sh", c"-c", c"exit 3"],
        &[c"a", c"--", c"--image", c"b"],
        &[c"-d"],
        &[c"--image"],
        &[],
    ] {
        for dashes in [&[][..], &[c"--"]] {
            let words = [&[c"run", c"--image=/i", c"id"], dashes, users].concat();
            let arguments = Arguments::new(&words).of(&RUNNING);
            if dashes.is_empty() && users == [c"--image"] {
                assert!(arguments.is_ok(), "it is the command's own");
            }
            let arguments = arguments.unwrap();
            assert!(
                !arguments.has("detach") && !arguments.has("help") && !arguments.has("quiet"),
                "{words:?}"
            );
            assert_eq!(arguments.words().skip(1).collect::<Vec<_>>(), users, "{words:?}");
            assert_eq!(arguments.value("image"), Some(c"/i"));
        }
    }
    let before = [c"run", c"-d", c"--image", c"/i", c"--", c"id", c"-d"];
    let arguments = Arguments::new(&before).of(&RUNNING).unwrap();
    assert!(arguments.has("detach"));
    assert_eq!(arguments.words().collect::<Vec<_>>(), [c"id", c"-d"]);
    // Without an image options may follow the ID, and a late `--image` is an error.
    assert!(Arguments::new(&[c"run", c"id", c"-d"]).of(&RUNNING).unwrap().has("detach"));
    for words in [&[c"run", c"id", c"--image", c"/i"][..], &[c"run", c"id", c"ls", c"--image=/i"]] {
        let error = Arguments::new(words).of(&RUNNING).err().unwrap().to_string();
        assert!(error.starts_with("run: --image stands before the ID"), "{error}");
    }
}

#[test]
fn options_of_all_commands_may_stand_before_the_name_and_no_other_is_looked_at() {
    let words = [c"--root", c"/r", c"--rootless=true", c"exec", c"--frobnicate", c"--log", c"x"];
    let arguments = Arguments::new(&words);
    assert_eq!(arguments.name().unwrap(), Some(c"exec"));
    assert_eq!((arguments.value("root"), arguments.value("log")), (Some(c"/r"), None));
    assert_eq!(arguments.value("rootless"), Some(c"true"));
}

#[test]
fn a_value_may_be_left_out_and_a_switch_may_be_off() {
    let words = [c"test", c"--rootless", c"one", c"--all=false", c"--quiet=true"];
    let arguments = check(&words).unwrap();
    assert!(arguments.has("rootless") && arguments.value("rootless").is_none());
    assert!(!arguments.has("all") && arguments.has("quiet"));
    assert_eq!(arguments.word(0), c"one");
}

#[test]
fn two_dashes_end_the_options_and_one_is_a_word() {
    let words = [c"test", c"-", c"--", c"--all"];
    let arguments = check(&words).unwrap();
    assert_eq!(arguments.words().collect::<Vec<_>>(), [c"-", c"--all"]);
    assert!(!arguments.has("all"));
}

#[test]
fn what_is_wrong_is_said_with_the_nearest_right_one() {
    for (words, text) in [
        (&[c"test", c"--al", c"x"][..], "test: no option --al; did you mean --all?"),
        (&[c"test", c"--frobnicate", c"x"], "test: no option --frobnicate: see --help"),
        (&[c"test", c"-x", c"x"], "test: no option -x: see --help"),
        (&[c"--all", c"test", c"x"], "test: no option --all: see --help"),
        (&[c"test", c"-v", c"x"], "test: no option -v: see --help"),
        (&[c"test", c"--version", c"x"], "test: no option --version: see --help"),
        (&[c"test", c"x", c"--env"], "--env needs a value: NAME=VALUE"),
        (&[c"test", c"x", c"-e"], "-e needs a value: NAME=VALUE"),
        (&[c"test", c"x", c"--all=yes"], "--all takes no value"),
        (&[c"test"], "test: no A: usage: ocinit test [OPTION]... A [B]"),
        (
            &[c"test", c"1", c"2", c"3"],
            "test: 3: one word too many: usage: ocinit test [OPTION]... A [B]",
        ),
    ] {
        assert_eq!(check(words).err().unwrap().to_string(), text);
    }
    assert!(check(&[c"test", c"--help"]).is_ok());
}

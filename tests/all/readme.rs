//! README's sessions: each command runs in the order of the page, in one shell, and prints the
//! page's text. `OCINIT_WRITE=1` writes the output to the page.

use crate::support::{project, scratch};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Time limit of the sessions, with a kernel and images to fetch.
const LIMIT: Duration = Duration::from_secs(900);

/// A command of a session, and the lines that follow it on the page.
struct Step {
    command: String,
    shown: Vec<String>,
    /// The lines of the page that hold the output.
    lines: std::ops::Range<usize>,
}

/// Returns the commands in fenced blocks: a line `$ COMMAND`, then its output.
fn steps(page: &str) -> Vec<Step> {
    let (mut steps, mut fenced): (Vec<Step>, bool) = (Vec::new(), false);
    let mut is_session = false;
    for (number, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            fenced = !fenced;
            is_session = false;
        } else if let (true, Some(command)) = (fenced, line.strip_prefix("$ ")) {
            is_session = true;
            let lines = number + 1..number + 1;
            steps.push(Step { command: command.into(), shown: Vec::new(), lines });
        } else if is_session {
            let step = steps.last_mut().expect("a command stands before its output");
            step.shown.push(line.into());
            step.lines.end = number + 1;
        }
    }
    steps
}

/// One shell for all. Its mount namespace has its own state root and cgroup v2.
const SHELL: &str = r#"set -eu
mkdir -p /run/ocinit
mount -t tmpfs none /run/ocinit
mount -t cgroup2 none /sys/fs/cgroup
exec 2>&1 </dev/null
set +eu
"#;

fn run(steps: &[Step]) -> Vec<String> {
    let mut script = String::from(SHELL);
    for step in steps {
        script.push_str(&format!("{}\necho @@@\n", step.command));
    }
    let file = scratch("readme").join("session");
    std::fs::write(&file, script).expect("the script");
    let limit = LIMIT.as_secs().to_string();
    let mut shell = Command::new("timeout");
    shell.args(["-k", "5", &limit, "unshare", "--mount", "bash"]).arg(&file).current_dir(project());
    // Variables of the cargo and the make that run this test would reach those of the page: `make
    // run` would print more.
    let is_of_the_test = |name: &str| {
        name.starts_with("MAKE")
            || name == "MFLAGS"
            || name.starts_with("CARGO") && name != "CARGO_HOME"
    };
    for (name, _) in std::env::vars().filter(|(name, _)| is_of_the_test(name)) {
        shell.env_remove(name);
    }
    let done = shell.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("bash");
    let printed = String::from_utf8_lossy(&done.stdout);
    let home = std::env::var("HOME").expect("HOME");
    let printed =
        printed.replace(project().to_str().expect("UTF-8"), "~/ocinit").replace(&home, "~");
    let outputs: Vec<String> = printed.split("@@@\n").map(String::from).collect();
    assert_eq!(
        outputs.len(),
        steps.len() + 1,
        "the shell ended early ({}):\n{printed}",
        done.status
    );
    outputs
}

/// Returns whether the line is cargo's or qemu/setup's, whose output depends on earlier builds.
fn is_of_tools(line: &str) -> bool {
    let line = line.trim_start();
    ["Compiling", "Finished", "Downloaded", "Downloading", "Locking", "Updating", "setup:", "info:"]
        .iter()
        .any(|word| line.starts_with(word))
}

/// Returns the line without details of one machine: digests, times, kernel versions, column widths.
fn normal(line: &str) -> String {
    let word = |word: &str| {
        let hex = word.trim_start_matches("sha256:");
        let is_hex = hex.len() >= 12 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_number = word.trim_end_matches(',').parse::<f64>().is_ok();
        match word {
            _ if is_hex => "DIGEST".into(),
            _ if word.contains("-cloud-amd64") => "KERNEL".into(),
            _ if word.starts_with("20") && word.contains('-') => "DATE".into(),
            _ if word.contains(':')
                && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') =>
            {
                "TIME".into()
            }
            _ if is_number && (word.contains('.') || word.len() >= 6) => "NUMBER".into(),
            _ if word.contains("/demo-") => "PLACE".into(),
            _ => word.to_string(),
        }
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_session_prints_what_the_page_shows() {
    let page = project().join("README.md");
    let text = std::fs::read_to_string(&page).expect("README.md");
    let steps = steps(&text);
    assert!(steps.len() > 15, "README.md has {} commands only", steps.len());
    let outputs = run(&steps);
    let lines = |output: &str| {
        output.lines().filter(|line| !is_of_tools(line)).map(String::from).collect::<Vec<_>>()
    };
    if std::env::var_os("OCINIT_WRITE").is_some() {
        let mut rows: Vec<String> = text.lines().map(String::from).collect();
        for (step, output) in steps.iter().zip(&outputs).rev() {
            rows.splice(
                step.lines.clone(),
                lines(output).iter().map(|line| line.trim_end().to_string()),
            );
        }
        std::fs::write(&page, rows.join("\n") + "\n").expect("README.md");
        return;
    }
    let mut differences = String::new();
    for (step, output) in steps.iter().zip(&outputs) {
        let printed = lines(output);
        let (shown, seen): (Vec<_>, Vec<_>) = (
            step.shown.iter().map(|line| normal(line)).collect(),
            printed.iter().map(|line| normal(line)).collect(),
        );
        if shown != seen {
            differences += &format!(
                "$ {}\nshown:\n{}\nprinted:\n{}\n\n",
                step.command,
                step.shown.join("\n"),
                printed.join("\n")
            );
        }
    }
    assert!(differences.is_empty(), "README.md (OCINIT_WRITE=1 writes it):\n{differences}");
}

#[test]
fn a_changed_page_is_noticed() {
    let found = steps("```\n$ echo one\none\n$ true\n```\n```\nno session\n```\n");
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].shown.clone(), found[1].shown.len()), (vec!["one".to_string()], 0));
    assert_ne!(normal("status 1"), normal("status 2"));
    assert_eq!(normal("kernel  1460.8 ms"), normal("kernel 12.1 ms"));
}

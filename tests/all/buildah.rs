//! A real client: buildah runs commands in its containers by ocinit. Output, exit status, user,
//! environment and volumes equal runc's; and it builds an image.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;
use crate::support::busybox;
use crate::support::lab::{self, PLACE, Runtime};

/// buildah's own storage, in memory.
struct Buildah {
    place: PathBuf,
}

impl Buildah {
    fn new(name: &str) -> Buildah {
        let place = Path::new(PLACE).join(name);
        std::fs::create_dir(&place).expect("place");
        busybox()
            .config(r#""Cmd":["sh"],"Env":["PATH=/bin","OF=image"],"WorkingDir":"/tmp""#)
            .write(&place.join("layout"));
        Buildah { place }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("buildah");
        command
            .arg("--root")
            .arg(self.place.join("storage"))
            .arg("--runroot")
            .arg(self.place.join("run"));
        command
            .args(words)
            .env("STORAGE_DRIVER", "vfs")
            .env("TMPDIR", &self.place)
            .current_dir(&self.place);
        command
    }

    /// A container of the image, by its name.
    fn from(&self) -> String {
        let image = format!("oci:{}:latest", self.place.join("layout").display());
        let said = support::tool(&mut self.command(&["from", "--quiet", &image]));
        String::from_utf8(said).expect("UTF-8").trim().to_string()
    }

    /// What a script printed, and its exit status.
    fn run(
        &self,
        runtime: Runtime,
        options: &[&str],
        container: &str,
        script: &str,
    ) -> (String, Option<i32>) {
        let mut words =
            vec!["run", "--isolation", "oci", "--network", "host", "--runtime", runtime.program()];
        words.extend(options);
        words.extend([container, "sh", "-c", script]);
        let output = self.command(&words).output().expect("buildah");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        // Its own line about a status that is not 0 is the only one.
        let is_quiet =
            complaint.lines().all(|line| line.contains("exit status") || line.starts_with("err:"));
        assert!(is_quiet, "{}: {complaint}", runtime.name());
        (said, output.status.code())
    }
}

#[test]
fn commands_run_as_by_runc() {
    lab::enter();
    let buildah = Buildah::new("buildah-run");
    std::fs::create_dir(buildah.place.join("volume")).unwrap();
    std::fs::write(buildah.place.join("volume/file"), "of the host\n").unwrap();
    let volume = format!("{}:/data", buildah.place.join("volume").display());
    let readonly = format!("{volume}:ro");
    let container = buildah.from();
    let cases: &[(&[&str], &str, &str, i32)] = &[
        (&[], "echo hello", "hello\n", 0),
        (&[], "exit 42", "", 42),
        (
            &[],
            "kill -9 $$; echo not killed by itself as process 1",
            "not killed by itself as process 1\n",
            0,
        ),
        (&[], "id -u; id -g; pwd; echo $OF", "0\n0\n/tmp\nimage\n", 0),
        (&["--user", "1000:2000"], "id -u; id -g", "1000\n2000\n", 0),
        (&["--user", "app"], "id -u; id -g", "1000\n1000\n", 0),
        (&["-e", "NEW=a b", "-e", "OF=caller"], "echo $NEW $OF", "a b caller\n", 0),
        (&["--workingdir", "/etc"], "pwd", "/etc\n", 0),
        (&["-v", &volume], "cat /data/file; echo written >/data/new", "of the host\n", 0),
        (
            &["-v", &readonly],
            "cat /data/file; echo x 2>/dev/null >/data/file || echo no",
            "of the host\nno\n",
            0,
        ),
        (
            &["--cap-add", "CAP_SYS_TIME"],
            "sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status",
            "00000000a82425fb\n",
            0,
        ),
        (&["--hostname", "named"], "hostname", "named\n", 0),
        (
            &[],
            "for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do test -e /proc/self/fd/$n && printf \"$n \"; done; true",
            "0 1 2 ",
            0,
        ),
        (&[], "echo kept >/kept", "", 0),
        (&[], "cat /kept", "kept\n", 0),
    ];
    for (options, script, wanted, status) in cases {
        let theirs = buildah.run(Runtime::Runc, options, &container, script);
        let ours = buildah.run(Runtime::Ocinit, options, &container, script);
        assert_eq!(ours, theirs, "{options:?} {script}: not as by runc");
        if !script.contains("CapEff") {
            assert_eq!(ours, ((*wanted).to_string(), Some(*status)), "{options:?} {script}");
        }
    }
    assert_eq!(std::fs::read_to_string(buildah.place.join("volume/new")).unwrap(), "written\n");
}

#[test]
fn a_command_that_is_not_there_fails_as_by_runc() {
    lab::enter();
    let buildah = Buildah::new("buildah-fail");
    let container = buildah.from();
    for (word, reason) in [
        ("/no/such", "no such file or directory"),
        ("nosuch", "executable file not found in $path"),
        ("/etc/passwd", "permission denied"),
    ] {
        let run = |runtime: Runtime| {
            let words = [
                "run",
                "--isolation",
                "oci",
                "--network",
                "host",
                "--runtime",
                runtime.program(),
                &container,
                word,
            ];
            let output = buildah.command(&words).output().expect("buildah");
            (output.status.code(), String::from_utf8_lossy(&output.stderr).to_lowercase())
        };
        let (ours, theirs) = (run(Runtime::Ocinit), run(Runtime::Runc));
        // buildah's own is 0 or 1 with runc, as it falls out.
        assert_eq!(ours.0, Some(1), "{word}: {}", ours.1);
        assert!(
            ours.1.contains(reason) && theirs.1.contains(reason),
            "{word}: {}\n{}",
            ours.1,
            theirs.1
        );
    }
}

#[test]
fn an_image_is_built() {
    lab::enter();
    let buildah = Buildah::new("buildah-build");
    let file = format!(
        "FROM oci:{}:latest\nENV GREETING=hello\nRUN echo $GREETING from $(id -u) >/made && mkdir /sub\nUSER app\nWORKDIR /sub\n\
         RUN id -u | tee /tmp/user && pwd\nCMD [\"cat\", \"/made\"]\n",
        buildah.place.join("layout").display()
    );
    std::fs::write(buildah.place.join("Containerfile"), file).unwrap();
    let ocinit = Runtime::Ocinit.program();
    let words = [
        "build",
        "--isolation",
        "oci",
        "--network",
        "host",
        "--runtime",
        ocinit,
        "--tag",
        "built",
        ".",
    ];
    let said = String::from_utf8(support::tool(&mut buildah.command(&words))).unwrap();
    assert!(said.contains("1000\n/sub\n"), "{said}");
    let words = ["from", "--quiet", "--pull-never", "built"];
    let container = String::from_utf8(support::tool(&mut buildah.command(&words))).unwrap();
    let seen = buildah.run(
        Runtime::Ocinit,
        &[],
        container.trim(),
        "cat /made /tmp/user; id -u; pwd; echo $GREETING",
    );
    assert_eq!(seen, ("hello from 0\n1000\n1000\n/sub\nhello\n".into(), Some(0)));
}

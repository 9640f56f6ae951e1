//! The demonstration.

use crate::directory::Directory;
use crate::program::{Run, program, soon};

async fn demo(seed: &str, directory: &Directory) -> Run {
    let mut command = program();
    command.args(["--demo", "--demo-seed", seed, "--demo-bytes", "3MiB"]);
    command.args(["--demo-cuts", "128KiB..512KiB"]);
    command.env("TMPDIR", directory.path(""));
    Run::of(soon(command.output()).await.unwrap())
}

/// What is said of something.
fn said<'a>(run: &'a Run, name: &str) -> &'a str {
    let line = run.stdout.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name}: {run:?}")).trim()
}

#[tokio::test]
async fn what_arrives_is_what_is_served() {
    let directory = Directory::new("demo");
    let mut digests = Vec::new();
    for seed in ["1", "2"] {
        let run = demo(seed, &directory).await;
        run.ends(0, "download: 3145728 bytes in ");
        let number = |name| said(&run, name).parse::<usize>().unwrap();
        let cuts = number("cuts:");
        assert!((6..=24).contains(&cuts));
        assert_eq!(
            (number("requests:"), number("resumptions:")),
            (cuts + 1, cuts)
        );
        assert_eq!(run.times(" s  resumption "), cuts);
        let share = said(&run, "read twice:").split(' ').next().unwrap();
        assert!(share.parse::<f64>().unwrap() < 0.5, "{run:?}");
        let digest = said(&run, "served:");
        assert!(digest.starts_with("SHA-256 ") && digest.len() == 8 + 64);
        assert_eq!(said(&run, "arrived:"), digest);
        assert!(run.stdout.ends_with("\nwhat arrived is what was served\n"));
        digests.push(digest.to_owned());
    }
    assert_ne!(digests[0], digests[1]);
    assert!(directory.is_empty());
}

#[tokio::test]
async fn a_demonstration_can_be_repeated() {
    let directory = Directory::new("demo_repeated");
    let [one, other] = [demo("3", &directory).await, demo("3", &directory).await];
    for name in ["cuts:", "crossed:", "read twice:", "served:"] {
        assert_eq!(said(&one, name), said(&other, name));
    }
}

#[tokio::test]
async fn cuts_that_let_nothing_through_are_a_failure() {
    let directory = Directory::new("demo_fails");
    let mut command = program();
    command.args(["--demo", "--demo-bytes", "1MiB", "--demo-cuts", "1..9"]);
    command.args(["--max-retries", "1"]);
    command.env("TMPDIR", directory.path(""));
    let run = Run::of(soon(command.output()).await.unwrap());
    run.ends(7, "download: no response: ");
    assert!(directory.is_empty());
}

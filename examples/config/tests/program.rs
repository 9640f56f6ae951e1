//! The example, run as its users run it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tower_http_retry::config::RetryConfig;

fn run(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_config"));
    program.args(arguments).output().unwrap()
}

/// What is printed by one that succeeds.
fn printed(arguments: &[&str]) -> String {
    let run = run(arguments);
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout).unwrap()
}

/// What is said by one that fails.
fn said(arguments: &[&str]) -> String {
    let run = run(arguments);
    assert_eq!((run.status.code(), &*run.stdout), (Some(1), &b""[..]));
    String::from_utf8(run.stderr).unwrap()
}

/// A file that is there for one test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn all_settings_are_printed_as_the_file_is_written() {
    let mut expected = RetryConfig::default();
    expected.max_retries = 7;
    let toml = File::new("seven.toml", "max_retries = 7");
    let printed_toml: RetryConfig = toml::from_str(&printed(&[toml.path()])).unwrap();
    let json = File::new("seven.json", r#"{ "max_retries": 7 }"#);
    let printed_json: RetryConfig = serde_json::from_str(&printed(&[json.path()])).unwrap();
    let yaml = File::new("seven.yml", "max_retries: 7");
    let text = printed(&[yaml.path()]);
    let printed_yaml: RetryConfig = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(
        [printed_toml, printed_json, printed_yaml],
        [(); 3].map(|()| expected.clone())
    );
    assert!(text.contains("\nwindow: 5m\n"), "{text}");
}

#[test]
fn a_mistake_is_named_by_the_file_and_its_field() {
    let cases = [
        (
            "wrong.toml",
            "[backoff]\nfactor = 0",
            "backoff.factor: TOML parse error at line 2, column 10\n  |\n2 | factor = 0\n  |          ^\n\
            invalid value: integer `0`, expected a number above 0\n",
        ),
        (
            "wrong.json",
            r#"{ "window": 5 }"#,
            "window: invalid type: integer `5`, expected a duration with units, such as \"1m 30s\", \
            or \"unlimited\" at line 1 column 13\n",
        ),
        (
            "wrong.yaml",
            "cooldown:\n  hold: 5s",
            "cooldown.hold: unknown field `hold`, expected one of max_hold, max_waiting, longest, \
            per_authority at line 2, column 3\n",
        ),
    ];
    for (name, text, expected) in cases {
        let file = File::new(name, text);
        let expected = format!("config: {}: {expected}", file.path());
        assert_eq!(said(&[file.path()]), expected);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let none = said(&["no/such.toml"]);
    assert!(none.starts_with("config: no/such.toml: "), "{none}");
    let expected = "config: retry.ini: not a .toml, .json, .yaml or .yml file\n";
    assert_eq!(said(&["retry.ini"]), expected);
}

/// The 429 asks for a second.
#[test]
fn a_client_with_these_settings_gets_its_answer() {
    let text = printed(&["--demo"]);
    let (settings, demo) = text.split_once("\n\n").unwrap_or((&text, ""));
    assert!(
        settings.starts_with("max_retries = 4\nwindow = \"10s\"\n"),
        "{settings}"
    );
    let (_, demo) = demo.split_once("GET http://127.0.0.1:").expect("a request");
    for told in [
        "attempt 1  503 Service Unavailable   waits 0.",
        "attempt 2  503 Service Unavailable   waits 0.",
        "attempt 3  429 Too Many Requests     waits 1.",
        "attempt 4  200 OK                    stops: success",
        "\n200 OK\n",
    ] {
        assert!(demo.contains(told), "{told}: {demo}");
    }
}

#[test]
fn settings_without_retries_get_the_first_answer() {
    let file = File::new("once.toml", "max_retries = 0");
    let text = printed(&["--demo", file.path()]);
    assert!(
        text.contains("attempt 1  503 Service Unavailable   stops: the retries are used up"),
        "{text}"
    );
    assert!(text.ends_with("\n503 Service Unavailable\n"), "{text}");
}

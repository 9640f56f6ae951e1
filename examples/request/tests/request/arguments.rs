//! Wrong arguments, and the help.

use crate::program::request;

#[tokio::test]
async fn a_wrong_argument_is_named() {
    const URL: &str = "http://127.0.0.1:9/";
    let directory = format!("@{}", env!("CARGO_TARGET_TMPDIR"));
    let cases: &[(&[&str], &str)] = &[
        (&[], "<URL>"),
        (&["https://127.0.0.1/"], "<URL>"),
        (&["127.0.0.1"], "<URL>"),
        (&["http:///path"], "<URL>"),
        (&["http://127.0.0.1:65536/"], "<URL>"),
        (&["http://user:secret@127.0.0.1/"], "<URL>"),
        (&["-X", "GE T", URL], "--method"),
        (&["-H", "no colon", URL], "--header"),
        (&["-H", "na me: value", URL], "--header"),
        (&["-H", "name: val\nue", URL], "--header"),
        (&["--retries", "many", URL], "--retries"),
        (&["--base", "1", URL], "--base"),
        (&["--within", "soon", URL], "--within"),
        (&["--attempt-timeout=-1s", URL], "--attempt-timeout"),
        (&["--max-server-wait", "s", URL], "--max-server-wait"),
        (&["--jitter", "some", URL], "--jitter"),
        (&["--replay-limit", "1k", URL], "--replay-limit"),
        (&["--count", "0", URL], "--count"),
        (&["--concurrency", "0", URL], "--concurrency"),
        (&["--data-binary", "@/no/such/file", URL], "--data-binary"),
        (&["--data-binary", &directory, URL], "--data-binary"),
        (&["--data-binary", "@-", "--count", "2", URL], "--count"),
        (&["-d", "a", "--data-binary", "b", URL], "--data-binary"),
        (&["--no-such-option", URL], "--no-such-option"),
    ];
    for (arguments, named) in cases {
        let run = request(arguments).await;
        assert_eq!(run.status, 2, "{arguments:?}");
        let first_line = run.stderr.split("\n\n").next().unwrap();
        assert!(first_line.contains(named), "{arguments:?}: {}", run.stderr);
    }
}

#[tokio::test]
async fn help_lists_the_options_and_exit_statuses() {
    let run = request(&["--help"]).await;
    assert_eq!(run.status, 0);
    for option in [
        "-X",
        "-H",
        "-d",
        "--data-binary",
        "--http2",
        "--retries",
        "--base",
        "--jitter",
        "--within",
        "--attempt-timeout",
        "--max-server-wait",
        "--rate-limit-headers",
        "--cooldown",
        "--replay-any",
        "--replay-limit",
        "--no-budget",
        "--count",
        "--concurrency",
        "--json",
        "Exit status:",
    ] {
        assert!(run.text().contains(option), "{option}");
    }
}

//! Arguments, and what is said of wrong ones.

use crate::program::run;

#[tokio::test]
async fn wrong_arguments_are_named() {
    let here = "http://127.0.0.1:1/";
    let cases: [(&[&str], &str); 14] = [
        (&[], "<URL> <FILE>"),
        (&[here], "<FILE>"),
        (&["https://127.0.0.1/", "file"], "https is not supported"),
        (&["ftp://127.0.0.1/", "file"], "it must begin with http://"),
        (&["/file", "file"], "it must begin with http://"),
        (&["http://a@127.0.0.1/", "file"], "user info is not sent"),
        (&["http://127.0.0.1:x/", "file"], "invalid"),
        (&["--max-resumes", "all", here, "file"], "--max-resumes"),
        (&["--idle-timeout", "soon", here, "file"], "--idle-timeout"),
        (&["--verify-prefix=0", here, "file"], "a size above zero"),
        (&["--demo", here, "file"], "cannot be used with"),
        (
            &["--demo-bytes", "1MiB", here, "file"],
            "cannot be used with",
        ),
        (&["--demo-seed", "1"], "<FILE>"),
        (
            &["--demo", "--demo-cuts", "2MiB..1MiB"],
            "its end must not be below its start",
        ),
    ];
    for (arguments, told) in cases {
        run(arguments).await.ends(2, told);
    }
}

#[tokio::test]
async fn help_says_what_the_exit_statuses_are() {
    let run = run(&["--help"]).await;
    assert_eq!(run.status, 0);
    let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "0 if FILE is whole",
        "22 for a status that is not 200",
        "7 if no response came",
        "18 for a body that could not be completed",
        "23 for a file that cannot be written",
        "2 for wrong arguments",
        "130 after Ctrl-C",
        "is replaced then",
        "[default: 30s]",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

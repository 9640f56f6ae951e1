//! A headless Chromium for tests of pages: its DevTools protocol, over pipes.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{env, fs, io, thread};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

/// Speaks the protocol over its standard input and output; no request leaves the machine.
const SCRIPT: &str = "exec \"$0\" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --disable-background-networking --disable-component-update --no-first-run --no-proxy-server \
    --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' --user-data-dir=\"$TMPDIR/profile\" \
    --remote-debugging-pipe 3<&0 4>&1 </dev/null >/dev/null";

/// A promise of whether `CONDITION` was true in time.
const UNTIL: &str = "new Promise((resolve, reject) => {
    const observer = new MutationObserver(check);
    function end(settle, value) { observer.disconnect(); settle(value); }
    function check() {
        try { if (CONDITION) end(resolve, true); } catch (error) { end(reject, error); }
    }
    const kinds = { attributes: true, characterData: true, childList: true };
    observer.observe(document, { ...kinds, subtree: true });
    setTimeout(() => end(resolve, false), 30_000);
    check();
})";

/// How long Chromium has for an answer; longer than a page has for a condition.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A running Chromium. Dropped, it is gone with all its processes and files.
pub struct Browser {
    connection: Arc<Connection>,
    child: Child,
    /// What it says to people, once the last of its processes has ended.
    log: Option<JoinHandle<io::Result<String>>>,
    home: PathBuf,
}

/// A tab of it.
pub struct Page {
    connection: Arc<Connection>,
    session: String,
}

struct Connection {
    input: Mutex<ChildStdin>,
    /// All that was received, answers and events; closed when Chromium has ended.
    received: watch::Receiver<Vec<Value>>,
    last_id: AtomicU64,
}

impl Browser {
    /// Starts `$CHROMIUM`, or the first of the usual programs that there is, with a new profile.
    pub async fn start() -> Self {
        let program = program();
        let home = new_directory();
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).arg(program);
        command.env("HOME", &home).env("TMPDIR", &home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let input = ChildStdin::from_std(child.stdin.take().unwrap()).unwrap();
        let output = ChildStdout::from_std(child.stdout.take().unwrap()).unwrap();
        let errors = child.stderr.take().unwrap();
        let connection = Arc::new(Connection::new(input, output));
        let log = Some(thread::spawn(|| io::read_to_string(errors)));
        let browser = Self {
            connection,
            child,
            log,
            home,
        };
        browser.call("Browser.getVersion", json!({})).await;
        browser
    }

    /// A new tab with this page, once it is loaded.
    pub async fn open(&self, url: &str) -> Page {
        let target = self
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", target).await;
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        let connection = self.connection.clone();
        let page = Page {
            connection,
            session,
        };
        for method in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.call(method, json!({})).await;
        }
        page.go(url).await;
        page
    }

    async fn call(&self, method: &str, parameters: Value) -> Value {
        let command = json!({ "method": method, "params": parameters });
        self.connection.call(command).await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let ended = self.connection.received.has_changed().is_err();
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The others end then, too; they write to the profile until they do.
        let log = self.log.take().unwrap().join();
        if ended {
            eprintln!("Chromium had ended, and said: {log:?}");
        }
        let removed = fs::remove_dir_all(&self.home);
        assert!(removed.is_ok() || thread::panicking(), "{removed:?}");
    }
}

impl Page {
    /// Leaves for this page, and waits until it is loaded.
    pub async fn go(&self, url: &str) {
        let gone = self.call("Page.navigate", json!({ "url": url })).await;
        assert_eq!(gone["errorText"], Value::Null, "{url}");
        let loaded = "document.readyState === 'complete'
            || new Promise((resolve) => addEventListener('load', () => resolve()))";
        self.evaluate(loaded).await;
    }

    /// What a JavaScript expression, or the promise that it is, comes to; panics if it throws.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut outcome = self.call("Runtime.evaluate", parameters).await;
        let exception = &outcome["exceptionDetails"];
        assert!(
            exception.is_null(),
            "{expression}\nthrows {}",
            thrown(exception)
        );
        outcome["result"]["value"].take()
    }

    /// Waits until a JavaScript expression is true, which is evaluated now and whenever the
    /// document changes; panics if it throws, or after 30 seconds.
    pub async fn until(&self, condition: &str) {
        if self.evaluate(&UNTIL.replace("CONDITION", condition)).await != true {
            let text = self.evaluate("document.documentElement.innerText").await;
            let text = text.as_str().unwrap_or_default();
            panic!("not in time: {condition}\nThe page:\n{text}");
        }
    }

    /// What went wrong in the page so far: uncaught exceptions, errors on the console, violations
    /// of its content security policy, and loads that failed.
    pub fn problems(&self) -> Vec<String> {
        let received = self.connection.received.borrow();
        let events = received
            .iter()
            .filter(|message| message["sessionId"] == *self.session);
        events.filter_map(problem).collect()
    }

    /// The result of any other command of the protocol.
    pub async fn call(&self, method: &str, parameters: Value) -> Value {
        let session = &self.session;
        let command = json!({ "sessionId": session, "method": method, "params": parameters });
        self.connection.call(command).await
    }
}

impl Connection {
    fn new(input: ChildStdin, output: ChildStdout) -> Self {
        let (sender, received) = watch::channel(Vec::new());
        tokio::spawn(read(output, sender));
        let (input, last_id) = (Mutex::new(input), AtomicU64::new(0));
        Self {
            input,
            received,
            last_id,
        }
    }

    async fn call(&self, mut command: Value) -> Value {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        command["id"] = id.into();
        let message = format!("{command}\0");
        // Where Chromium has ended, there is no answer either.
        let _ = self.input.lock().await.write_all(message.as_bytes()).await;
        let mut received = self.received.clone();
        let answered = received.wait_for(|all| all.iter().any(|message| message["id"] == id));
        let answered = timeout(ANSWER_TIMEOUT, answered).await;
        let answered = answered.unwrap_or_else(|_| panic!("Chromium does not answer {command}"));
        let answered = answered.unwrap_or_else(|_| panic!("Chromium ended before {command}"));
        let answer = answered.iter().find(|message| message["id"] == id).unwrap();
        assert_eq!(answer["error"], Value::Null, "{command}");
        answer["result"].clone()
    }
}

async fn read(output: ChildStdout, received: watch::Sender<Vec<Value>>) {
    let mut output = BufReader::new(output);
    let mut message = Vec::new();
    while output.read_until(0, &mut message).await.is_ok() && message.pop() == Some(0) {
        let value = serde_json::from_slice(&message).unwrap();
        received.send_modify(|all| all.push(value));
        message.clear();
    }
}

fn problem(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    let (kind, entry) = (&parameters["type"], &parameters["entry"]);
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(thrown(&parameters["exceptionDetails"])),
        "Runtime.consoleAPICalled" if kind == "error" => Some(parameters["args"].to_string()),
        "Log.entryAdded" if entry["level"] == "error" => {
            let text = |name| entry[name].as_str().unwrap_or_default();
            Some(format!("{} {}", text("text"), text("url")))
        }
        "Inspector.targetCrashed" => Some("the page crashed".to_owned()),
        _ => None,
    }
}

fn thrown(details: &Value) -> String {
    let description = details["exception"]["description"].as_str();
    description.map_or_else(|| details.to_string(), str::to_owned)
}

fn program() -> PathBuf {
    if let Some(program) = env::var_os("CHROMIUM") {
        return program.into();
    }
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = env::split_paths(&path).collect();
    let places = |name| {
        directories
            .iter()
            .map(move |directory| directory.join(name))
    };
    let program = names.iter().flat_map(places).find(|place| place.is_file());
    program.expect("install Chromium (`apt install chromium`) or Chrome, or set CHROMIUM")
}

/// With a short name: Chromium puts sockets there.
fn new_directory() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("chromium-{}-{count}", std::process::id());
    let directory = env::temp_dir().join(name);
    fs::create_dir(&directory).unwrap();
    directory
}

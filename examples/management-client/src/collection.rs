//! A collection of the service: items of one kind, each with an id and a name.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use http::StatusCode;
use http::header::LOCATION;
use serde_json::{Value, json};

/// The collection of relying parties, or that of rules.
#[derive(Clone)]
pub(crate) struct Collection {
    path: &'static str,
    names: Names,
    items: Arc<Mutex<Items>>,
}

#[derive(Clone, Copy)]
pub(crate) enum Names {
    /// A second item with the same name is rejected.
    Unique,
    /// Items can have the same name, and are identified by their ids.
    Shared,
}

#[derive(Default)]
struct Items {
    /// Ids are not reused.
    last_id: u64,
    list: Vec<Item>,
}

struct Item {
    id: u64,
    name: String,
}

impl Collection {
    pub(crate) fn new(path: &'static str, names: Names) -> Self {
        Self {
            path,
            names,
            items: Arc::default(),
        }
    }

    /// Creates the routes of the collection. PUT and DELETE by name exist only if names are unique.
    pub(crate) fn router(&self) -> Router {
        let by_name = match self.names {
            Names::Unique => put(create_by_name).delete(delete_by_name).get(find_by_name),
            Names::Shared => get(find_by_name),
        };
        Router::new()
            .route(self.path, post(create))
            .route(&format!("{}/{{id}}", self.path), get(find))
            .route(&format!("{}/by-name/{{name}}", self.path), by_name)
            .with_state(self.clone())
    }

    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    /// The name of each item, in order.
    pub(crate) fn sorted_names(&self) -> Vec<String> {
        let items = self.items();
        let mut names: Vec<_> = items.list.iter().map(|item| item.name.clone()).collect();
        names.sort_unstable();
        names
    }

    fn create(&self, name: &str) -> Response {
        let mut items = self.items();
        let is_taken = items.list.iter().any(|item| item.name == name);
        if is_taken && matches!(self.names, Names::Unique) {
            return refuse(StatusCode::CONFLICT, "the name is taken");
        }
        items.last_id += 1;
        let item = Item {
            id: items.last_id,
            name: name.to_owned(),
        };
        let location = format!("{}/{}", self.path, item.id);
        let answer = Json(item.to_json());
        items.list.push(item);
        (StatusCode::CREATED, [(LOCATION, location)], answer).into_response()
    }

    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Item {
    fn to_json(&self) -> Value {
        json!({ "id": self.id, "name": self.name })
    }
}

async fn create(State(collection): State<Collection>, Json(item): Json<Value>) -> Response {
    match item["name"].as_str() {
        Some(name) => collection.create(name),
        None => refuse(StatusCode::BAD_REQUEST, "an item has a name"),
    }
}

/// Creates an item. An existing item is not replaced.
async fn create_by_name(
    State(collection): State<Collection>,
    Path(name): Path<String>,
    Json(item): Json<Value>,
) -> Response {
    match item["name"] == name {
        true => collection.create(&name),
        false => refuse(StatusCode::BAD_REQUEST, "the item has another name"),
    }
}

async fn delete_by_name(
    State(collection): State<Collection>,
    Path(name): Path<String>,
) -> Response {
    let mut items = collection.items();
    let count = items.list.len();
    items.list.retain(|item| item.name != name);
    match items.list.len() < count {
        true => StatusCode::NO_CONTENT.into_response(),
        false => nothing(),
    }
}

/// Returns the item with this name, or a list if several items can have the same name. If there is none, it
/// answers 404 instead of an empty list, because the probe needs a 404.
async fn find_by_name(State(collection): State<Collection>, Path(name): Path<String>) -> Response {
    let items = collection.items();
    let found = items.list.iter().filter(|item| item.name == name);
    let found: Vec<_> = found.map(Item::to_json).collect();
    match (collection.names, &found[..]) {
        (_, []) => nothing(),
        (Names::Unique, [item, ..]) => Json(item).into_response(),
        (Names::Shared, items) => Json(items).into_response(),
    }
}

/// Returns an item by the path in its `Location`.
async fn find(State(collection): State<Collection>, Path(id): Path<u64>) -> Response {
    let items = collection.items();
    match items.list.iter().find(|item| item.id == id) {
        Some(item) => Json(item.to_json()).into_response(),
        None => nothing(),
    }
}

fn nothing() -> Response {
    refuse(StatusCode::NOT_FOUND, "there is no such item")
}

pub(crate) fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

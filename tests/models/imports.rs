//! How the crate's files import one another, read as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module by its path from the root, as `budget::bucket`.
type Module = String;

/// Each module of the library, with the lines of its file that are code.
fn modules() -> BTreeMap<Module, Vec<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    let module = |file: &PathBuf| {
        let path = file.strip_prefix(&src).unwrap().with_extension("");
        let names: Vec<_> = path.iter().map(|name| name.to_str().unwrap()).collect();
        names.join("::")
    };
    let is_of_tests = |module: &str| module.ends_with("tests") || module.contains("tests::");
    files
        .iter()
        .map(|file| (module(file), code(&fs::read_to_string(file).unwrap())))
        .filter(|(module, _)| {
            module != "lib" && !module.starts_with("decide::model") && !is_of_tests(module)
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

fn code(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with("//"))
        .map(str::to_owned)
        .collect()
}

/// What a line of a module names by `crate::` or `super::`, or uses of a module inside it, as a path
/// from the root. What a module only passes on (`pub use`) it does not use.
fn named(module: &str, line: &str) -> Vec<String> {
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let after = |keyword: &str| {
        let parts = line.split(keyword).skip(1).map(|rest| {
            let is_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let end = rest.find(|c| !is_of_path(c)).unwrap_or(rest.len());
            rest[..end].trim_end_matches(':').to_owned()
        });
        parts.collect::<Vec<_>>()
    };
    let of_parent = after("super::").into_iter().map(|path| match parent {
        "" => path,
        parent => format!("{parent}::{path}"),
    });
    let inside = line.strip_prefix("use ").and_then(|path| {
        let (name, _) = path.split_once("::")?;
        Some(format!("{module}::{name}"))
    });
    let of_root = after("crate::").into_iter();
    of_root.chain(of_parent).chain(inside).collect()
}

/// The module that a path leads into: the longest there is.
fn target<'a>(modules: &'a BTreeMap<Module, Vec<String>>, path: &str) -> Option<&'a str> {
    let mut path = path;
    loop {
        if let Some((module, _)) = modules.get_key_value(path) {
            return Some(module);
        }
        (path, _) = path.rsplit_once("::")?;
    }
}

/// What each module imports.
fn imports() -> BTreeMap<Module, BTreeSet<Module>> {
    let modules = modules();
    let of = |module: &Module, lines: &Vec<String>| {
        let others = lines.iter().flat_map(|line| named(module, line));
        others
            .filter_map(|path| target(&modules, &path).map(str::to_owned))
            .filter(|other| other != module)
            .collect()
    };
    modules
        .iter()
        .map(|(module, lines)| (module.clone(), of(module, lines)))
        .collect()
}

#[test]
fn a_module_imports_only_modules_that_are_declared_below_it() {
    let lib = include_str!("../../src/lib.rs");
    let declared: Vec<_> = code(lib)
        .iter()
        .filter_map(|line| {
            let (_, name) = line.split_once("mod ")?;
            Some(name.strip_suffix(';')?.to_owned())
        })
        .collect();
    let place = |module: &str| {
        let room = module.split("::").next().unwrap();
        let place = declared.iter().position(|name| name == room);
        place.unwrap_or_else(|| panic!("`{room}` is not declared in src/lib.rs"))
    };
    let imports = imports();
    assert!(imports.len() > 50, "{} modules", imports.len());
    for (module, others) in &imports {
        for other in others {
            assert!(
                place(module) <= place(other),
                "`{module}` imports `{other}`, which src/lib.rs declares above it"
            );
        }
    }
}

#[test]
fn no_module_imports_itself_by_way_of_others() {
    let imports = imports();
    for start in imports.keys() {
        let mut seen = BTreeSet::new();
        let mut next: Vec<_> = imports[start].iter().collect();
        while let Some(module) = next.pop() {
            assert_ne!(module, start, "a circle of imports, which `{module}` is in");
            if seen.insert(module) {
                next.extend(&imports[module]);
            }
        }
    }
}

/// So that these tests do not pass for want of anything to look at.
#[test]
fn imports_are_found_in_each_of_their_forms() {
    let cases = [
        ("a", "use crate::b::C;", vec!["b::C", "a::crate"]),
        ("a::b", "use super::c::{D, E};", vec!["a::c", "a::b::super"]),
        ("a", "use b::C;", vec!["a::b"]),
        ("a", "pub use b::C;", vec![]),
        ("a::b", "pub(super) fn f(x: super::G) {}", vec!["a::G"]),
        ("a::b", "crate::c::d(crate::e::F)", vec!["c::d", "e::F"]),
        ("a", "use std::fmt;", vec!["a::std"]),
    ];
    for (module, line, expected) in cases {
        assert_eq!(named(module, line), expected, "{line}");
    }
    let decide = &imports()["decide"];
    assert!(
        decide.contains("limits") && decide.contains("classify"),
        "{decide:?}"
    );
}

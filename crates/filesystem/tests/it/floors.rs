//! The files of the crate stand on floors: imports point down, and no file imports one that imports it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The floors from the ground up, each with its modules. The folders of a module are on its floor.
const FLOORS: [&[&str]; 6] = [
    &["clock", "durability", "error", "settings"],
    &["sys"],
    &["root"],
    &["store"],
    &["upload"],
    &["builder", "driver", "filesystem", "recovery"],
];

type Module = Vec<String>;

/// The source of each module, without comments and tests.
fn sources(dir: &Path, module: &Module, found: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let place = entry.unwrap().path();
        let mut module = module.clone();
        module.push(place.file_stem().unwrap().to_str().unwrap().to_owned());
        if ["lib", "tests", "probe"].contains(&&*module[module.len() - 1]) {
            continue;
        }
        if place.is_dir() {
            sources(&place, &module, found);
            continue;
        }
        let text = fs::read_to_string(&place).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        found.insert(module, lines.collect::<Vec<_>>().join("\n"));
    }
}

/// The paths that a path or a tree of imports stands for. It begins below `above`.
fn paths(above: &Module, text: &str) -> Vec<Module> {
    if let Some(group) = text.strip_prefix('{') {
        return items(group).into_iter().flat_map(|item| paths(above, item.trim())).collect();
    }
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = text[name.len()..].strip_prefix("::");
    let mut path = above.clone();
    if name != "self" && !name.is_empty() {
        path.push(name);
    }
    match rest {
        Some(rest) => paths(&path, rest),
        None => vec![path],
    }
}

/// The items of a group of imports, up to its closing brace.
fn items(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

/// The module that declares what is at a path.
fn declares(path: &Module, modules: &BTreeSet<Module>) -> Option<Module> {
    let found = (1..=path.len()).rev().map(|length| path[..length].to_vec());
    // The crate's public types are in the files of their names.
    let public = path.first().map(|name| vec![name.to_lowercase()]);
    found.chain(public).find(|module| modules.contains(module))
}

/// Which module imports which.
fn imports() -> BTreeMap<Module, BTreeSet<Module>> {
    let mut sources_found = BTreeMap::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&src, &Module::new(), &mut sources_found);
    let modules: BTreeSet<Module> = sources_found.keys().cloned().collect();
    let imported = |module: &Module, code: &str| {
        let parent = module[..module.len() - 1].to_vec();
        let roots = [("crate::", Module::new()), ("super::", parent), ("self::", module.clone())];
        let mut imported: BTreeSet<Module> = BTreeSet::new();
        for (keyword, above) in roots {
            let found = code.split(keyword).skip(1).flat_map(|text| paths(&above, text));
            imported.extend(found.filter_map(|path| declares(&path, &modules)));
        }
        imported.remove(module);
        imported
    };
    sources_found.iter().map(|(module, code)| (module.clone(), imported(module, code))).collect()
}

fn module(text: &str) -> Module {
    text.split("::").map(str::to_owned).collect()
}

#[test]
fn imports_are_read_from_the_source() {
    let imports = imports();
    for (above, below) in [
        ("store", "root"),
        ("store::list", "store"),
        ("upload", "upload::record"),
        ("sys", "sys::stat"),
    ] {
        assert!(imports[&module(above)].contains(&module(below)), "{above} {below}: {imports:#?}");
    }
}

#[test]
fn no_file_imports_from_a_floor_above_it() {
    let floor = |module: &Module| {
        let found = FLOORS.iter().position(|floor| floor.contains(&&*module[0]));
        found.unwrap_or_else(|| panic!("{module:?} is on no floor"))
    };
    for (above, imported) in imports() {
        for below in imported {
            assert!(floor(&above) >= floor(&below), "{above:?} imports {below:?}");
        }
    }
}

#[test]
fn no_two_files_import_each_other() {
    let mut above = imports();
    while !above.is_empty() {
        let done: BTreeSet<Module> = above
            .iter()
            .filter(|(_, below)| below.is_empty())
            .map(|(module, _)| module.clone())
            .collect();
        assert!(!done.is_empty(), "a circle of imports: {above:#?}");
        above.retain(|module, _| !done.contains(module));
        above.values_mut().for_each(|below| below.retain(|module| !done.contains(module)));
    }
}

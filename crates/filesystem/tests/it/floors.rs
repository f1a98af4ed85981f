//! The files of the crate stand on floors: no file imports one that imports it, directly or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Which module of the crate imports which, by the first names of their paths.
fn imports(dir: &Path, top: Option<&str>, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let place = entry.unwrap().path();
        let stem = place.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = top.unwrap_or(&stem).to_owned();
        if ["lib", "tests"].contains(&&*module) {
            continue;
        }
        if place.is_dir() {
            imports(&place, Some(&module), found);
            continue;
        }
        let text = fs::read_to_string(&place).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code: String = code.collect::<Vec<_>>().join("\n");
        let imported = found.entry(module.clone()).or_default();
        for import in code.split("crate::").skip(1) {
            let names = match import.strip_prefix('{') {
                None => vec![import],
                Some(group) => items(group),
            };
            let name = |item: &str| -> String {
                item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
            };
            // Public types stand in the file of their name.
            imported.extend(names.into_iter().map(name).map(|name| name.to_lowercase()));
        }
        imported.remove(&module);
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

#[test]
fn no_two_files_import_each_other() {
    let mut above = BTreeMap::new();
    imports(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut above);
    let modules: BTreeSet<String> = above.keys().cloned().collect();
    above.values_mut().for_each(|imported| imported.retain(|name| modules.contains(name)));
    assert!(above["store"].contains("root"), "{above:#?}");
    // Floor by floor, from the ground up.
    while !above.is_empty() {
        let floor: BTreeSet<String> = above
            .iter()
            .filter(|(_, below)| below.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        assert!(!floor.is_empty(), "a circle of imports: {above:#?}");
        above.retain(|name, _| !floor.contains(name));
        above.values_mut().for_each(|below| below.retain(|name| !floor.contains(name)));
    }
}

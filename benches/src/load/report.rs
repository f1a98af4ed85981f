//! [`Report`]: the tables.

use std::{collections::BTreeMap, fmt::Write};

use storage_driver_registry::Redirect;

use super::{
    actions::Lab,
    bill::Count,
    collection::Collection,
    image::{BASE, Image, LAYERS},
    keys::{REPOSITORY, Trace},
    recorder::Sent,
    replay::Replay,
    terms::Terms,
};
use crate::harness::{GIB, MIB, Random, runtime};

const SEED: u64 = 15;
/// The numbers of prefixes at which limits are shown.
const SHOWN: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// How many requests a collection sends at once.
const AT_ONCE: f64 = 16.0;
/// The memory of a collection for each blob that is used, in bytes.
const OF_A_DIGEST: f64 = 100.0;

/// What was counted and computed, as tables in Markdown.
#[derive(Debug)]
pub struct Report {
    /// The name of each table, and the table.
    pub tables: Vec<(&'static str, String)>,
}

/// What each action sends.
struct Counted {
    push: Vec<Sent>,
    next: Vec<Sent>,
    pull: Vec<Sent>,
    again: Vec<Sent>,
    redirected: Vec<Sent>,
    deletion: Vec<Sent>,
    collection: Collection,
}

impl Report {
    /// Counts, computes and replays; some seconds.
    pub fn new(terms: &Terms) -> Self {
        let mut random = Random::new(SEED);
        let counted = runtime::workers(2).block_on(count(&mut random));
        let tables = vec![
            ("terms", of_terms(terms)),
            ("requests", of_requests(terms, &counted)),
            ("prefixes", of_prefixes(terms, &counted)),
            ("day", of_a_day(terms, &counted)),
            ("limits", of_limits(terms, &counted, &mut random)),
            ("collection", of_collection(terms, &counted)),
            ("nodes", of_nodes(terms)),
        ];
        Self { tables }
    }

    /// Puts each table into a page, between `<!-- NAME -->` and `<!-- end -->`. `None` if the page has no such place for
    /// one of them.
    pub fn put_into(&self, page: &str) -> Option<String> {
        let mut page = page.to_owned();
        for (name, table) in &self.tables {
            let start = format!("<!-- {name} -->\n");
            let from = page.find(&start)? + start.len();
            let to = from + page[from..].find("<!-- end -->")?;
            page.replace_range(from..to, &format!("\n{table}\n"));
        }
        Some(page)
    }
}

async fn count(random: &mut Random) -> Counted {
    let lab = Lab::new();
    let one = lab.node(Redirect::Never).await;
    // A registry that has just started looks for more.
    one.push("before", &Image::draw(random, &LAYERS[3..])).await;
    let image = Image::draw(random, &LAYERS);
    let push = one.push(REPOSITORY, &image).await;
    let other = lab.node(Redirect::Never).await;
    let pull = other.pull(REPOSITORY, &image).await;
    let again = other.pull(REPOSITORY, &image).await;
    let redirecting = lab.node(Redirect::Always).await;
    redirecting.pull(REPOSITORY, &image).await;
    let redirected = redirecting.pull(REPOSITORY, &image).await;
    let next = one.push(REPOSITORY, &image.next(random)).await;
    let deletion = one.delete(REPOSITORY, &image).await;
    let collection = Collection::count(random).await;
    Counted { push, next, pull, again, redirected, deletion, collection }
}

/// A table in Markdown. The first column is text.
fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.map(str::to_owned));
    text += &line(&std::array::from_fn::<_, N, _>(|at| {
        (if at == 0 { "---" } else { "--:" }).to_owned()
    }));
    rows.into_iter().for_each(|row| text += &line(&row));
    text
}

/// A number with three digits, or all before the point, in groups of three.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        it if it < 0.1 => 4,
        it if it < 10.0 && it.fract() != 0.0 => 2,
        it if it < 100.0 && it.fract() != 0.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((&*text, ""), |(whole, rest)| (whole, rest));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0
            && digit.is_ascii_digit()
            && (whole.len() - at).is_multiple_of(3)
            && !grouped.ends_with('-')
        {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

fn of_terms(terms: &Terms) -> String {
    let rows = terms.options();
    let rows = rows.iter().map(|(option, value, meaning)| {
        [(*meaning).to_owned(), number(*value), format!("`--{option}`")]
    });
    table(["assumed", "value", "option"], rows)
}

fn of_requests(terms: &Terms, counted: &Counted) -> String {
    let Counted { push, next, pull, again, redirected, deletion, collection } = counted;
    let rows = [
        ("push, no layer is there yet", Count::of(push)),
        ("push, the layers of the base are there", Count::of(next)),
        ("pull, the first at a node", Count::of(pull)),
        ("pull, again within a minute", Count::of(again)),
        ("the same with redirects", Count::of(redirected)),
        ("deletion by a client", Count::of(deletion)),
        ("collection, for each image that is kept", collection.of_an_image),
        ("collection, for each image that was deleted", collection.of_a_deleted_image),
        ("collection, for each repository", collection.of_a_repository),
    ];
    let row = |(name, count): (&str, Count)| {
        let Count { writes, reads, lists, deletes } = count;
        let figures = [writes, reads, lists, deletes, count.total(), count.price(terms) * 1e6];
        let [a, b, c, d, e, f] = figures.map(number);
        [name.to_owned(), a, b, c, d, e, f]
    };
    let head =
        ["of an image", "PUT, POST", "GET, HEAD", "LIST", "DELETE", "in all", "$ for a million"];
    table(head, rows.map(row))
}

/// The beginning of a key that tells what it is for.
fn group(key: &str) -> &'static str {
    const GROUPS: [(&str, &str); 8] = [
        ("docker/registry/v2/blobs/", "docker/registry/v2/blobs/sha256/ab/…"),
        ("docker/registry/v2/repositories/", "docker/registry/v2/repositories/NAME/…"),
        ("!uploads/", "!uploads/docker/registry/v2/repositories/NAME/_uploads/UUID/…"),
        ("!data/", "!data/ID/…"),
        ("!owners/", "!owners/ID"),
        ("!trash/-/", "!trash/-/LIFE"),
        ("!trash/", "!trash/ID/…"),
        ("", "others"),
    ];
    GROUPS.iter().find(|(start, _)| key.starts_with(start)).map_or("others", |group| group.1)
}

fn of_prefixes(terms: &Terms, counted: &Counted) -> String {
    let mut groups: BTreeMap<&str, [Count; 2]> = BTreeMap::new();
    for (place, sent) in [(0, &counted.push), (1, &counted.pull)] {
        for sent in sent {
            let count = &mut groups.entry(group(&sent.key)).or_default()[place];
            *count = *count + Count::of(std::slice::from_ref(sent));
        }
    }
    let load = |[push, pull]: &[Count; 2]| push.load(terms) + pull.load(terms) * terms.pulls;
    let all: f64 = groups.values().map(load).sum();
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|a, b| load(&b.1).total_cmp(&load(&a.1)));
    let rows = groups.iter().map(|(name, counts)| {
        let [push, pull] = counts;
        let cells = [push.writes + push.deletes, push.reads + push.lists, pull.reads + pull.lists];
        let [a, b, c] = cells.map(number);
        [format!("`{name}`"), a, b, c, format!("{:.0} %", 100.0 * load(counts) / all)]
    });
    let head = [
        "keys",
        "push: PUT, POST, DELETE",
        "push: GET, HEAD, LIST",
        "pull: GET, HEAD",
        "share of the load",
    ];
    table(head, rows)
}

fn of_a_day(terms: &Terms, counted: &Counted) -> String {
    let Counted { push, next, pull, again, deletion, collection, .. } = counted;
    let [push, next, pull, again, deletion] =
        [push, next, pull, again, deletion].map(|it| Count::of(it));
    let pulls = terms.pulls * terms.pushes;
    let kept = terms.pushes * terms.days;
    let rows = [
        ("pushes, no layer is there yet", push * terms.pushes),
        ("or: pushes, the layers of the base are there", next * terms.pushes),
        ("pulls, each the first at its node", pull * pulls),
        ("or: pulls, each again within a minute", again * pulls),
        ("deletions by clients", deletion * terms.pushes),
        ("one collection: deleted images", collection.of_a_deleted_image * terms.pushes),
        ("one collection: kept images", collection.of_an_image * kept),
        ("one collection: repositories", collection.of_a_repository * terms.repositories as f64),
    ];
    let row = |(name, count): (&str, Count)| {
        let second = count / 86_400.0;
        let (writes, reads) = (second.writes + second.deletes, second.reads + second.lists);
        let [a, b, c, d] =
            [writes, reads, count.price(terms), count.price(terms) * 30.0].map(number);
        [name.to_owned(), a, b, c, d]
    };
    let head = [
        "in a day",
        "PUT, POST, DELETE /s on average",
        "GET, HEAD, LIST /s on average",
        "$ a day",
        "$ in 30 days",
    ];
    let mut text = table(head, rows.map(row));
    let size: f64 = LAYERS.iter().sum::<u64>() as f64;
    let own: f64 = LAYERS[BASE..].iter().sum::<u64>() as f64;
    for (name, size) in [("no layer is there yet", size), ("the layers of the base are there", own)]
    {
        let bytes = size * kept;
        let price = number(bytes / 1e9 * terms.storage_price);
        let _ = write!(
            text,
            "\nContent of the kept images, if {name}: {} TB, {price} $ in a month.",
            number(bytes / 1e12)
        );
    }
    text.push('\n');
    text
}

fn of_limits(terms: &Terms, counted: &Counted, random: &mut Random) -> String {
    let (push, pull) = (Trace::of(&counted.push), Trace::of(&counted.pull));
    let (replay, mut bucket) = Replay::draw(terms, &push, &pull, random);
    let whole = bucket.hottest().load;
    let peak = terms.average() * terms.peak;
    let mut rows = Vec::new();
    let mut shown = SHOWN.into_iter().peekable();
    loop {
        let count = bucket.all.len();
        let divides = shown.peek().is_some();
        if shown.next_if(|next| *next <= count).is_some() {
            while shown.next_if(|next| *next <= count).is_some() {}
            let limit = replay.limit(&bucket, random);
            let hottest = bucket.hottest();
            let prefix = match &*hottest.prefix {
                "" => "the whole bucket".to_owned(),
                prefix => format!("`{prefix}`"),
            };
            rows.push([
                number(count as f64),
                prefix,
                format!("{:.1} %", 100.0 * hottest.load / whole),
                number(limit),
                number(limit / peak),
            ]);
        }
        if !divides || !bucket.divide() {
            break;
        }
    }
    let head = [
        "prefixes",
        "the busiest one",
        "its share",
        "pushes a second, with pulls, at which throttling begins",
        "as a multiple of the peak",
    ];
    table(head, rows)
}

fn of_collection(terms: &Terms, counted: &Counted) -> String {
    let collection = &counted.collection;
    let blobs = (LAYERS.len() + 2) as f64;
    let hours = |requests: f64| requests * terms.latency / 1000.0 / 3600.0;
    let rows = [1.0, 7.0, terms.days].map(|days| {
        let kept = terms.pushes * days;
        let reading =
            collection.of_an_image * kept + collection.of_a_repository * terms.repositories as f64;
        let deleting = collection.of_a_deleted_image * terms.pushes;
        let sent = reading + deleting;
        [
            days,
            kept / 1e6,
            sent.total() / 1e6,
            sent.price(terms),
            hours(reading.total() / AT_ONCE),
            hours(deleting.total() / AT_ONCE),
            kept * blobs * OF_A_DIGEST / GIB as f64,
        ]
        .map(number)
    });
    let head = [
        "days that images are kept",
        "million images",
        "million requests",
        "$",
        "hours to read what is kept, 16 requests at once",
        "hours to delete, 16 requests at once",
        "GiB of memory",
    ];
    table(head, rows)
}

fn of_nodes(terms: &Terms) -> String {
    let size: f64 = LAYERS.iter().sum::<u64>() as f64 / MIB as f64;
    let own: f64 = LAYERS[BASE..].iter().sum::<u64>() as f64 / MIB as f64;
    let pushed = terms.average();
    let pulled = pushed * terms.pulls;
    let rows = [
        ("pushes, no layer is there yet", pushed * size),
        ("pushes, the layers of the base are there", pushed * own),
        ("pulls of whole images", pulled * size),
        ("pulls, the client has the layers of the base", pulled * own),
        ("pulls with redirects", 0.0),
    ];
    let rows = rows.map(|(name, average)| {
        let peak = average * terms.peak;
        let nodes = (peak / terms.node).ceil();
        let [a, b, c] = [average, peak, nodes].map(number);
        [name.to_owned(), a, b, c]
    });
    table(["content", "MiB/s on average", "MiB/s at the peak", "nodes for that"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_groups_and_few_digits() {
        let numbers = [0.0, 0.0123, 1.5, 2.0, 12.34, 123.4, 1_234_567.8, -1234.0];
        let expected = ["0", "0.0123", "1.50", "2", "12.3", "123", "1,234,568", "-1,234"];
        assert_eq!(numbers.map(number), expected);
    }

    #[test]
    fn a_table_replaces_what_is_between_its_marks() {
        let report = Report { tables: vec![("a", "| new |\n".to_owned())] };
        let page = "before\n<!-- a -->\n| old |\n<!-- end -->\nafter\n";
        let expected = "before\n<!-- a -->\n\n| new |\n\n<!-- end -->\nafter\n";
        assert_eq!(report.put_into(page).as_deref(), Some(expected));
        assert_eq!(report.put_into("no marks"), None);
    }
}

//! [`Replay`]: pushes and pulls of many images at random times, and which of their requests a bucket refuses.

use super::{bill::Count, keys::Trace, partitions::Partitions, terms::Terms};
use crate::harness::Random;

/// So many different pushes, each with its pulls.
const PUSHES: usize = 2_000;
/// The seconds that are looked at.
const SECONDS: usize = 60;
/// The seconds over which the requests of a push or pull are spread.
const SPREAD: f64 = 10.0;
/// The share of refused requests at which throttling has begun.
const BEGUN: f64 = 0.001;
/// How often the interval is halved that the rate is in.
const HALVINGS: usize = 10;

/// A push or a pull: its requests, by the places of their keys, and the load of each.
type Event = Vec<(usize, f64)>;

/// The requests of many pushes and pulls.
#[derive(Debug)]
pub(super) struct Replay {
    pushes: Vec<Event>,
    pulls: Vec<Event>,
    pulls_per_push: f64,
}

impl Replay {
    /// Draws pushes and pulls. Returns the bucket with all their keys too; the load of a key is that of a push a second,
    /// with its pulls.
    pub(super) fn draw(
        terms: &Terms,
        push: &Trace,
        pull: &Trace,
        random: &mut Random,
    ) -> (Self, Partitions) {
        let busy = Busy::new(terms.repositories);
        let pulls = (PUSHES as f64 * terms.pulls) as usize;
        // What is pulled is the image that was pushed to the repository last.
        let pushed = (0..PUSHES).map(|number| (push, busy.draw(random), (1 << 32) + number as u64));
        let pushed: Vec<_> = pushed.collect();
        let pulled = (0..pulls).map(|_| busy.draw(random)).map(|it| (pull, it, it as u64));
        let pulled: Vec<_> = pulled.collect();
        let drawn = |(trace, repository, image): &(&Trace, usize, u64)| {
            trace
                .drawn(*repository, *image)
                .map(|(kind, key)| (key, Count::load_of(kind, terms)))
                .collect::<Vec<_>>()
        };
        let all = pushed.iter().chain(&pulled).flat_map(drawn);
        let partitions =
            Partitions::new(all.map(|(key, load)| (key, load / PUSHES as f64)).collect());
        let event = |it| -> Event {
            drawn(it).into_iter().map(|(key, load)| (partitions.place(&key), load)).collect()
        };
        let replay = Self {
            pushes: pushed.iter().map(event).collect(),
            pulls: pulled.iter().map(event).collect(),
            pulls_per_push: terms.pulls,
        };
        (replay, partitions)
    }

    /// The pushes a second, with their pulls, at which the bucket begins to refuse requests.
    pub(super) fn limit(&self, partitions: &Partitions, random: &mut Random) -> f64 {
        let numbers = partitions.numbers();
        // More than this cannot be taken, however regular the arrivals are.
        let (mut fine, mut refused) = (0.0, 1.2 / partitions.hottest().load);
        for _ in 0..HALVINGS {
            let rate = f64::midpoint(fine, refused);
            match self.refused(&numbers, partitions.all.len(), rate, random) < BEGUN {
                true => fine = rate,
                false => refused = rate,
            }
        }
        fine
    }

    /// The share of requests that are over the limit of their partition in their second.
    fn refused(&self, numbers: &[u32], partitions: usize, rate: f64, random: &mut Random) -> f64 {
        let mut seconds = vec![0.0; SECONDS * partitions];
        for (events, rate) in [(&self.pushes, rate), (&self.pulls, rate * self.pulls_per_push)] {
            if events.is_empty() || rate <= 0.0 {
                continue;
            }
            let mut now = -SPREAD;
            loop {
                now -= (1.0 - fraction(random)).ln() / rate;
                if now >= SECONDS as f64 {
                    break;
                }
                for (key, load) in &events[random.below(events.len())] {
                    let second = now + fraction(random) * SPREAD;
                    if (0.0..SECONDS as f64).contains(&second) {
                        seconds[second as usize * partitions + numbers[*key] as usize] += load;
                    }
                }
            }
        }
        let over: f64 = seconds.iter().map(|load| (load - 1.0).max(0.0)).sum();
        over / seconds.iter().sum::<f64>()
    }
}

/// How busy repositories are: number n has 1/n of the load of the first.
struct Busy(Vec<f64>);

impl Busy {
    fn new(repositories: usize) -> Self {
        let mut sum = 0.0;
        Self(
            (1..=repositories)
                .map(|number| {
                    sum += 1.0 / number as f64;
                    sum
                })
                .collect(),
        )
    }

    fn draw(&self, random: &mut Random) -> usize {
        let at = fraction(random) * self.0.last().copied().unwrap_or_default();
        self.0.partition_point(|sum| *sum <= at)
    }
}

/// A number from 0 to 1, without 1.
fn fraction(random: &mut Random) -> f64 {
    (random.number() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::recorder::{Kind, Sent};

    fn replay(keys: &[&str], terms: &Terms) -> (Replay, Partitions) {
        let sent = |key: &&str| Sent { kind: Kind::Write, key: (*key).to_owned() };
        let push = Trace::of(&keys.iter().map(sent).collect::<Vec<_>>());
        Replay::draw(terms, &push, &Trace::of(&[]), &mut Random::new(1))
    }

    #[test]
    fn random_arrivals_are_refused_earlier_than_regular_ones() {
        let terms = Terms { puts: 1_000.0, ..Terms::default() };
        let (replay, bucket) = replay(&["a", "b"], &terms);
        let limit = replay.limit(&bucket, &mut Random::new(2));
        assert!((400.0..500.0).contains(&limit), "{limit} pushes of two requests");
    }

    #[test]
    fn a_bucket_that_is_divided_takes_more() {
        let terms = Terms { puts: 1_000.0, ..Terms::default() };
        let (replay, mut bucket) = replay(&["a", "b"], &terms);
        let whole = replay.limit(&bucket, &mut Random::new(2));
        bucket.divide();
        let divided = replay.limit(&bucket, &mut Random::new(2));
        assert!(divided > 1.9 * whole, "{whole}, then {divided}");
    }

    #[test]
    fn the_first_repository_is_as_busy_as_it_is_said() {
        let (busy, mut random) = (Busy::new(2), Random::new(3));
        let first = (0..30_000).filter(|_| busy.draw(&mut random) == 0).count();
        assert!((19_500..20_500).contains(&first), "{first} of 30,000, instead of two thirds");
    }
}

//! [`Terms`]: what is assumed. The reader can change each of them.

/// The limits and prices of a service, and the load. Prices are in US dollars.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Terms {
    /// Pushes a day.
    pub pushes: f64,
    /// Pulls for each push.
    pub pulls: f64,
    /// The busiest second, as a multiple of the average.
    pub peak: f64,
    /// The number of repositories. The second is half as busy as the first, the third a third as busy, and so on.
    pub repositories: usize,
    /// How many days an image is kept.
    pub days: f64,
    /// PUT, POST and DELETE a second that one prefix takes.
    pub puts: f64,
    /// GET, HEAD and LIST a second that one prefix takes.
    pub gets: f64,
    /// The price of a thousand PUT, POST and LIST. DELETE is free.
    pub put_price: f64,
    /// The price of a thousand GET and HEAD.
    pub get_price: f64,
    /// The price of a GB for a month.
    pub storage_price: f64,
    /// The time from a request of a node to its response, in milliseconds.
    pub latency: f64,
    /// The content that one node moves at most, in MiB a second.
    pub node: f64,
}

impl Default for Terms {
    /// A million pushes a day, S3's published limits, and its list prices for `us-east-1` in 2025.
    fn default() -> Self {
        Self {
            pushes: 1e6,
            pulls: 10.0,
            peak: 4.0,
            repositories: 10_000,
            days: 30.0,
            puts: 3_500.0,
            gets: 5_500.0,
            put_price: 0.005,
            get_price: 0.0004,
            storage_price: 0.023,
            latency: 20.0,
            node: 500.0,
        }
    }
}

impl Terms {
    /// The options, with the field that each sets and what it means.
    pub(super) fn options(&self) -> [(&'static str, f64, &'static str); 12] {
        [
            ("pushes", self.pushes, "pushes a day"),
            ("pulls", self.pulls, "pulls for each push, of clients that have no part of the image"),
            ("peak", self.peak, "the busiest second, as a multiple of the average"),
            (
                "repositories",
                self.repositories as f64,
                "repositories; number n has 1/n of the load of the first",
            ),
            (
                "days",
                self.days,
                "days that an image is kept: as many images are deleted as are pushed",
            ),
            ("puts", self.puts, "PUT, POST and DELETE a second that one prefix takes"),
            ("gets", self.gets, "GET, HEAD and LIST a second that one prefix takes"),
            (
                "put-price",
                self.put_price,
                "US dollars for a thousand PUT, POST or LIST; DELETE is free",
            ),
            ("get-price", self.get_price, "US dollars for a thousand GET or HEAD"),
            ("storage-price", self.storage_price, "US dollars for a GB and month"),
            (
                "latency",
                self.latency,
                "milliseconds from a request of a node to the response of the bucket",
            ),
            ("node", self.node, "MiB of content a second that a node moves at most"),
        ]
    }

    /// Sets the field of an option. Returns `false` if there is none of this name.
    pub fn set(&mut self, option: &str, value: f64) -> bool {
        let field = match option {
            "pushes" => &mut self.pushes,
            "pulls" => &mut self.pulls,
            "peak" => &mut self.peak,
            "days" => &mut self.days,
            "puts" => &mut self.puts,
            "gets" => &mut self.gets,
            "put-price" => &mut self.put_price,
            "get-price" => &mut self.get_price,
            "storage-price" => &mut self.storage_price,
            "latency" => &mut self.latency,
            "node" => &mut self.node,
            "repositories" => {
                self.repositories = (value as usize).max(1);
                return true;
            }
            _ => return false,
        };
        *field = value;
        true
    }

    /// Pushes a second on average.
    pub(super) fn average(&self) -> f64 {
        self.pushes / 86_400.0
    }
}

#[test]
fn every_option_can_be_set() {
    let mut terms = Terms::default();
    for (option, value, _) in Terms::default().options() {
        assert!(terms.set(option, value + 1.0), "{option}");
    }
    for ((option, before, _), (_, after, _)) in
        Terms::default().options().into_iter().zip(terms.options())
    {
        assert_eq!(after, before + 1.0, "{option}");
    }
}

//! [`suite!`](crate::suite): a test for each behaviour.

/// Makes a `#[test]` for each behaviour, in modules by subject, and a test `summary`, which prints the number of
/// behaviours, and which are left out and why.
///
/// Its first argument is an expression that makes fresh, empty drivers: see
/// [`Subject::new`](crate::Subject::new). `call_timeout = <Duration>` may follow: see
/// [`Subject::call_timeout`](crate::Subject::call_timeout).
///
/// ```no_run
/// # mod doctest {
/// # use storage_driver_conformance::reference::Reference;
/// storage_driver_conformance::suite!(|| async { Reference::new() });
/// # }
/// ```
#[macro_export]
macro_rules! suite {
    ($factory:expr $(, call_timeout = $limit:expr)? $(,)?) => {
        fn conformance_subject() -> $crate::Subject {
            $crate::Subject::new($factory)$(.call_timeout($limit))?
        }

        $crate::__behaviours!($crate::__tests);

        #[test]
        fn summary() {
            $crate::summary(conformance_subject());
        }
    };
}

/// A module for each group and a test for each behaviour.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($($module:ident {
        $($name:ident: [$($clause:literal),+]
            $(if $($claimed:ident)&&+)? $(unless $($unclaimed:ident)||+)? $(@ $full:ident)?;)*
    })*) => {
        $(mod $module {
            $($crate::__test! { $module $name $($full)? })*
        })*
    };
}

/// One test.
#[doc(hidden)]
#[macro_export]
macro_rules! __test {
    ($module:ident $name:ident) => {
        #[test]
        fn $name() {
            let name = concat!(stringify!($module), "::", stringify!($name));
            $crate::test(super::conformance_subject(), name);
        }
    };
    ($module:ident $name:ident full) => {
        #[test]
        #[ignore = "full size: run in release with `-- --include-ignored`"]
        fn $name() {
            let name = concat!(stringify!($module), "::", stringify!($name));
            $crate::test(super::conformance_subject(), name);
        }
    };
}

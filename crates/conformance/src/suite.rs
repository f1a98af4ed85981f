//! [`suite!`](crate::suite): a test per behaviour.

/// Makes one `#[test]` per behaviour, in modules by subject, and one, `summary`, that prints how many
/// there are and which are left out and why.
///
/// Its argument is an expression that makes fresh, empty drivers: see
/// [`Subject::new`](crate::Subject::new).
///
/// ```no_run
/// # mod doctest {
/// # use conformance::reference::Reference;
/// conformance::suite!(|| async { Reference::new() });
/// # }
/// ```
#[macro_export]
macro_rules! suite {
    ($factory:expr $(,)?) => {
        fn conformance_subject() -> $crate::Subject {
            $crate::Subject::new($factory)
        }

        $crate::__behaviours!($crate::__tests);

        #[test]
        fn summary() {
            $crate::summary(conformance_subject());
        }
    };
}

/// A module per group and a test per behaviour.
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

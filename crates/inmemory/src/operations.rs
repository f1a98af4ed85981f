//! The operations of a [`Store`](crate::store::Store) that need no session: each is one critical section, or
//! begins a [`Job`](crate::job::Job).

mod cancel_uploads;
mod delete;
mod delete_many;
mod put;
mod rename;
mod rename_dir;
mod uploads;

#[cfg(test)]
mod tests;

//! The views: what projector and query-api must agree on.

/// A view's name, the version of its fold, and its tables.
#[derive(Debug, PartialEq, Eq)]
pub struct View {
    /// As operators call it.
    pub name: &'static str,
    /// Raised whenever the fold or the shape of a table changes; a program folds and reads only its own versions.
    pub version: i64,
    /// Names without generation; a table has one view.
    pub tables: &'static [&'static str],
}

/// Accounts.
pub static USERS: View = View { name: "users", version: 3, tables: &["users", "superusers"] };
/// Places.
pub static PIZZERIAS: View = View { name: "pizzerias", version: 3, tables: &["pizzerias"] };
/// Pizzas.
pub static PIZZAS: View = View { name: "pizzas", version: if cfg!(feature = "next") { 4 } else { 3 }, tables: &["pizzas"] };
/// Likes and dislikes, and how many.
pub static REACTIONS: View =
    View { name: "reactions", version: 3, tables: &["reactions", "place_likes", "pizza_counters", "place_counters"] };

/// All of them.
pub static ALL: [&View; 4] = [&USERS, &PIZZERIAS, &PIZZAS, &REACTIONS];

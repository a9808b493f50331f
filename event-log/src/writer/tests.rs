//! What the writers tell.

use super::*;

#[test]
fn heads_are_told_when_they_move_and_never_go_back() {
    let (partition, heads) = (Partition::new(3).unwrap(), watch::Sender::new(Heads::default()));
    let mut told = heads.subscribe();
    publish(&heads, [(partition, 5)]);
    assert_eq!((told.has_changed().unwrap(), told.borrow_and_update()[3]), (true, 5));
    publish(&heads, [(partition, 4), (partition, 5)]);
    assert_eq!((told.has_changed().unwrap(), told.borrow_and_update()[3]), (false, 5));
}

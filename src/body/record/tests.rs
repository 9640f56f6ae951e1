use super::*;

static TEN: Bytes = Bytes::from_static(b"0123456789");

fn played(record: &Record, index: usize) -> Result<Bytes, Unplayable> {
    match record.get(index)? {
        Piece::Data(data) => Ok(data),
        Piece::Trailers(_) => panic!("trailers"),
    }
}

#[test]
fn what_is_in_memory_takes_no_room_and_the_rest_no_more_than_there_is() {
    let record: &mut Record = &mut Record::new(15, []);
    assert_eq!(record.push(Passing::Data(&TEN), true), Ok(()));
    assert_eq!(record.push(Passing::Data(&TEN), false), Ok(()));
    let over = record.push(Passing::Data(&TEN), false);
    assert_eq!(over, Err(Unplayable::OverLimit));
    assert_eq!(record.push(Passing::Data(&TEN.slice(5..)), false), Ok(()));
    let over = record.push(Passing::Data(&TEN.slice(9..)), false);
    assert_eq!(over, Err(Unplayable::OverLimit));
    assert_eq!(played(record, 1), Ok(TEN.clone()));
    assert_eq!(played(record, 2), Ok(TEN.slice(5..)));
}

#[test]
fn what_was_not_given_cannot_be_given_again() {
    let record: &mut Record = &mut Record::new(15, []);
    assert_eq!(played(record, 0), Err(Unplayable::SourceFailed));
    assert_eq!(record.push(Passing::Data(&TEN), false), Ok(()));
    assert_eq!(played(record, 1), Err(Unplayable::SourceFailed));
}

#[test]
fn after_the_last_piece_there_is_room_for_none() {
    let record: &mut Record = &mut Record::new(5, []);
    record.push_last(Passing::Data(&TEN));
    let over = record.push(Passing::Data(&TEN.slice(9..)), false);
    assert_eq!(over, Err(Unplayable::OverLimit));
    assert_eq!(played(record, 0), Ok(TEN.clone()));
}

#[test]
fn a_piece_that_nobody_shares_is_copied_where_there_is_room_for_it() {
    for (length, is_copied) in [(1, true), (8, true), (9, false)] {
        let record: &mut Record = &mut Record::new(100, [0; 8]);
        let own = Bytes::from(TEN[..length].to_vec());
        assert_eq!(record.push(Passing::Data(&own), false), Ok(()));
        assert_eq!(own.is_unique(), is_copied, "{length}");
        assert_eq!(played(record, 0), Ok(own));
    }
}

#[test]
fn what_is_dropped_is_not_given_and_it_is_said_why() {
    let record: &mut Record = &mut Record::new(100, []);
    assert_eq!(record.push(Passing::Data(&TEN), false), Ok(()));
    let unknown = record.push(Passing::Unknown, false);
    assert_eq!(unknown, Err(Unplayable::UnknownFrame));
    record.drop_all(Unplayable::OverLimit);
    assert_eq!(record.unplayable(), Some(Unplayable::OverLimit));
    assert_eq!(played(record, 0), Err(Unplayable::OverLimit));
}

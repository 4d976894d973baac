//! Room for the pages of lists, used again as soon as nobody holds a piece of the page that lay there.
//!
//! A page is some MiB, read many times a second: memory of that size is asked of the system and given
//! back each time, and the system clears every page of it. Contract: at most [`ROOMS_KEPT`] rooms are
//! kept, none larger than a page may be; a room whose page is still in somebody's hands is not
//! touched. Rooms live as long as the collector and its clones.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::limits::{PAGE_BYTES, ROOMS_KEPT};

/// The rooms of one collector. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rooms(Arc<Mutex<Vec<Room>>>);

#[derive(Debug)]
struct Room {
    /// The page that was read into it.
    page: Bytes,
    capacity: usize,
}

impl Rooms {
    /// Room for about this many bytes: the smallest that is free and large enough, else a new one.
    pub(crate) fn take(&self, about: usize) -> BytesMut {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = kept.iter().enumerate();
        let free = free.filter(|(_, room)| room.capacity >= about && room.page.is_unique());
        let found = free.min_by_key(|(_, room)| room.capacity).map(|(at, _)| at);
        let room = found.map(|at| kept.swap_remove(at).page.try_into_mut());
        drop(kept);
        match room {
            Some(Ok(mut room)) => {
                room.clear();
                room
            }
            _ => BytesMut::with_capacity(about),
        }
    }

    /// Ends the reading into a room: the page that lies in it, whose room is free again when nobody
    /// holds a piece of it.
    pub(crate) fn page(&self, room: BytesMut) -> Bytes {
        let capacity = room.capacity();
        let page = room.freeze();
        // Whatever is larger holds one object that is larger than any page: its like will hardly follow.
        if capacity <= 2 * PAGE_BYTES {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= ROOMS_KEPT {
                let free = kept
                    .iter()
                    .enumerate()
                    .filter(|(_, room)| room.page.is_unique());
                match free.min_by_key(|(_, room)| room.capacity).map(|(at, _)| at) {
                    Some(smallest) => drop(kept.swap_remove(smallest)),
                    None => return page,
                }
            }
            kept.push(Room {
                page: page.clone(),
                capacity,
            });
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(rooms: &Rooms, bytes: usize) -> Bytes {
        let mut room = rooms.take(bytes);
        room.resize(bytes, b'x');
        rooms.page(room)
    }

    #[test]
    fn a_room_is_used_again_when_the_last_piece_of_its_page_is_gone_and_not_before() {
        let rooms = Rooms::default();
        let page = filled(&rooms, 1_000);
        let piece = page.slice(500..600);
        let place = page.as_ptr();
        drop(page);
        assert_ne!(filled(&rooms, 1_000).as_ptr(), place, "a piece is in use");
        assert_eq!(piece, vec![b'x'; 100]);
        drop(piece);
        let again: Vec<_> = (0..2).map(|_| filled(&rooms, 900)).collect();
        assert!(again.iter().any(|page| page.as_ptr() == place));
        assert_ne!(again[0].as_ptr(), again[1].as_ptr());
    }

    #[test]
    fn many_pages_one_after_the_other_lie_in_one_room() {
        let rooms = Rooms::default();
        let places: std::collections::BTreeSet<_> =
            (0..100).map(|_| filled(&rooms, 10_000).as_ptr()).collect();
        assert_eq!(places.len(), 1);
    }

    #[test]
    fn few_rooms_are_kept_and_none_that_is_larger_than_a_page() {
        let rooms = Rooms::default();
        let pages: Vec<_> = (1..=2 * ROOMS_KEPT)
            .map(|n| filled(&rooms, 100 * n))
            .collect();
        drop(pages);
        drop(filled(&rooms, 100 * ROOMS_KEPT));
        drop(filled(&rooms, 2 * PAGE_BYTES + 1));
        let kept = rooms.0.lock().unwrap();
        assert_eq!(kept.len(), ROOMS_KEPT);
        assert!(kept.iter().all(|room| room.capacity <= 2 * PAGE_BYTES));
    }
}

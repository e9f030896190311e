//! Bytes go through without a copy.

use ::bytes::Bytes;

use crate::serializer::*;

fn payload(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

#[test]
fn bytes_share_the_memory_of_the_payload() {
    let sent = payload(b"some bytes");
    let dumped = BytesSerializer.dump(&sent).unwrap().into_bytes();
    assert_eq!((dumped.as_ptr(), dumped.len()), (sent.as_ptr(), sent.len()));
    let loaded: Bytes = BytesSerializer.load(&dumped).unwrap();
    assert_eq!((loaded.as_ptr(), loaded.len()), (sent.as_ptr(), sent.len()));
    let slice: &[u8] = BytesSerializer.load(&dumped).unwrap();
    assert_eq!((slice.as_ptr(), slice.len()), (sent.as_ptr(), sent.len()));
}

#[test]
fn every_kind_of_bytes_is_the_payload() {
    for bytes in [&b""[..], b"\0", b"any \xff bytes"] {
        assert_eq!(&*BytesSerializer.dump(bytes).unwrap(), bytes);
        assert_eq!(&*BytesSerializer.dump(&bytes).unwrap(), bytes);
        assert_eq!(&*BytesSerializer.dump(&bytes.to_vec()).unwrap(), bytes);
        assert_eq!(&*BytesSerializer.dump(&payload(bytes)).unwrap(), bytes);
        let loaded: Vec<u8> = BytesSerializer.load(&payload(bytes)).unwrap();
        assert_eq!(loaded, bytes);
    }
}

#[test]
fn nothing_is_the_empty_payload() {
    assert!(BytesSerializer.dump(&()).unwrap().is_empty());
    assert!(Load::<()>::load(&BytesSerializer, &payload(b"")).is_ok());
    let error = Load::<()>::load(&BytesSerializer, &payload(b"null")).unwrap_err();
    assert_eq!(error.message(), "4 bytes where none are expected");
}

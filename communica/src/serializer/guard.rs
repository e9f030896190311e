//! A deserializer of serde → the same one, which cannot be made to nest, loop or allocate without end.
//!
//! Formats that announce lengths trust them, and not all count how deep they are. This stands between such a format
//! and the type that is loaded, sees each step down and each element, and refuses what no payload of that size needs.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Steps down that a payload may ask for. Lists, maps, enums, options and newtypes are one step each; 128 levels of
/// lists take as much of the stack in JSON.
const DEPTH: usize = 128;
/// Elements of lists and maps beyond one per byte of the payload: there are types whose values take no bytes.
const EMPTY_ELEMENTS: usize = 4096;

/// What one payload may still ask for.
pub(super) struct Guard {
    depth: Cell<usize>,
    elements: Cell<usize>,
    bytes: usize,
}

impl Guard {
    pub(super) fn new(payload: &[u8]) -> Self {
        Self {
            depth: Cell::new(DEPTH),
            elements: Cell::new(payload.len() + EMPTY_ELEMENTS),
            bytes: payload.len(),
        }
    }

    pub(super) fn wrap<X>(&self, inner: X) -> Guarded<'_, X> {
        Guarded { inner, guard: self, counts: true }
    }

    /// The same for what has as many elements as its type says, whatever the payload does: a tuple, a struct.
    fn wrap_fixed<X>(&self, inner: X) -> Guarded<'_, X> {
        Guarded { inner, guard: self, counts: false }
    }

    /// One step down. Gives what [`Guard::up`] is to restore; a closure between them would cost stack on each level.
    fn down<E: Error>(&self) -> Result<usize, E> {
        let depth = self.depth.get();
        if depth == 0 {
            return Err(E::custom(format_args!("nested deeper than {DEPTH} levels")));
        }
        self.depth.set(depth - 1);
        Ok(depth)
    }

    fn up(&self, depth: usize) {
        self.depth.set(depth);
    }

    fn element<E: Error>(&self) -> Result<(), E> {
        let left = self.elements.get();
        if left == 0 {
            return Err(E::custom("more elements than the payload can hold"));
        }
        self.elements.set(left - 1);
        Ok(())
    }
}

impl<X> Guarded<'_, X> {
    /// The end of a list is no element.
    #[inline]
    fn counted<T, E: Error>(&self, element: Option<T>) -> Result<Option<T>, E> {
        if self.counts && element.is_some() {
            self.guard.element()?;
        }
        Ok(element)
    }
}

/// A deserializer, visitor, seed or access of serde that is watched.
pub(super) struct Guarded<'g, X> {
    inner: X,
    guard: &'g Guard,
    /// Whether its elements are counted.
    counts: bool,
}

macro_rules! deserialize {
    ($wrap:ident: $($method:ident($($arg:ident: $ty:ty),*);)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($arg,)* self.guard.$wrap(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    deserialize! { wrap:
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    deserialize! { wrap_fixed:
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident($ty:ty);)*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $ty) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    visit! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Self { inner: visitor, guard, .. } = self;
        let depth = guard.down()?;
        let value = visitor.visit_some(guard.wrap(inner));
        guard.up(depth);
        value
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Self { inner: visitor, guard, .. } = self;
        let depth = guard.down()?;
        let value = visitor.visit_newtype_struct(guard.wrap(inner));
        guard.up(depth);
        value
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let Self { inner: visitor, guard, counts } = self;
        let depth = guard.down()?;
        let value = visitor.visit_seq(Guarded { inner, guard, counts });
        guard.up(depth);
        value
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let Self { inner: visitor, guard, counts } = self;
        let depth = guard.down()?;
        let value = visitor.visit_map(Guarded { inner, guard, counts });
        guard.up(depth);
        value
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let Self { inner: visitor, guard, .. } = self;
        let depth = guard.down()?;
        let value = visitor.visit_enum(guard.wrap(inner));
        guard.up(depth);
        value
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(self.guard.wrap(inner))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let element = self.inner.next_element_seed(self.guard.wrap(seed))?;
        self.counted(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|announced| announced.min(self.guard.bytes))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let key = self.inner.next_key_seed(self.guard.wrap(seed))?;
        self.counted(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(self.guard.wrap(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|announced| announced.min(self.guard.bytes))
    }
}

impl<'de, 'g, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'g, A> {
    type Error = A::Error;
    type Variant = Guarded<'g, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(self.guard.wrap(seed))?;
        Ok((value, self.guard.wrap(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(self.guard.wrap(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, self.guard.wrap_fixed(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, self.guard.wrap_fixed(visitor))
    }
}

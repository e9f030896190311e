//! An error may have type parameters.
#![deny(warnings)]
#![allow(missing_docs)]

#[derive(Debug, PartialEq, communica::ServiceError)]
pub enum Problem<T: Clone, const N: usize>
where
    T: PartialEq,
{
    At(T),
    Count { count: Vec<T> },
    None,
}

#[derive(Debug, communica::ServiceError)]
pub enum Never {}

impl<T: Clone + PartialEq, const N: usize> std::fmt::Display for Problem<T, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("problem")
    }
}

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

#[communica::service]
pub trait Desk {
    async fn fails(&self) -> Result<u8, Problem<String, 3>>;
    async fn never(&self) -> Result<u8, Never>;
}

fn main() {
    use communica::ServiceError;
    let there = Problem::<String, 3>::At("a".into()).into_fault();
    assert_eq!(Problem::<String, 3>::from_fault(there).unwrap(), Problem::At("a".into()));
    let there = communica::Fault::from(Problem::<u8, 0>::Count { count: vec![1] });
    assert_eq!(Problem::<u8, 0>::from_fault(there).unwrap(), Problem::Count { count: vec![1] });
}

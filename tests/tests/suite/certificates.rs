//! Names go in; certificates for them come out, with their keys, made for one test.

use communica::Tls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

/// Vouches for others.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A chain and a key, in PEM.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let chance = fresh_key().public_key_raw()[1..5].to_vec();
        Self::named(&format!("authority {chance:?}"))
    }

    /// Two of the same name are two, with two keys.
    pub(crate) fn named(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(authority(name), fresh_key()).expect("it signs"))
    }

    /// One that this one vouches for.
    pub(crate) fn deputy(&self) -> Self {
        let deputy = CertifiedIssuer::signed_by(authority("deputy"), fresh_key(), &self.0);
        Self(deputy.expect("it signs"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these hosts and addresses.
    pub(crate) fn certify(&self, names: &[&str]) -> Identity {
        self.certify_with(names, |_| {})
    }

    /// The same with something changed.
    pub(crate) fn certify_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let (params, key) = (params(names, change), fresh_key());
        let certificate = params.signed_by(&key, &self.0).expect("it signs");
        Identity { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// Settings of one who trusts this authority.
    pub(crate) fn trusted(&self) -> Tls {
        Tls::new().trust(self.pem()).expect("the authority can be read")
    }
}

impl Identity {
    /// One that nobody else vouches for.
    pub(crate) fn self_made(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = fresh_key();
        let certificate = params(names, change).self_signed(&key).expect("it signs");
        Self { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// Adds it to settings.
    pub(crate) fn of(&self, tls: Tls) -> Tls {
        tls.identity(&self.chain, &self.key).expect("the identity can be read")
    }
}

/// For an authority's own certificate.
pub(crate) fn may_sign(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

pub(crate) fn for_clients_only(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

/// Its time is over.
pub(crate) fn expired(params: &mut CertificateParams) {
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
}

/// Its time is yet to come.
pub(crate) fn not_valid_yet(params: &mut CertificateParams) {
    params.not_before = rcgen::date_time_ymd(4000, 1, 1);
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(&[], may_sign);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn params(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("the names are names");
    change(&mut params);
    params
}

fn fresh_key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

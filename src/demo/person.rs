//! Who uses the demo's shop: clients from many countries, by networks that the built-in country
//! database knows.

use std::net::Ipv4Addr;

/// A country and one of its networks (/24).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    pub(crate) country: &'static str,
    pub(crate) network: [u8; 3],
}

impl Person {
    /// An address in the network.
    pub(crate) fn address(&self) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, 7)
    }
}

/// Networks of access providers and universities, chosen for having stood in one country for long.
pub(crate) const PEOPLE: &[Person] = &[
    person("US", [73, 92, 10]),
    person("US", [98, 207, 40]),
    person("US", [18, 9, 22]),
    person("US", [128, 32, 70]),
    person("CA", [142, 150, 10]),
    person("CA", [24, 114, 30]),
    person("MX", [189, 203, 10]),
    person("MX", [187, 190, 20]),
    person("BR", [200, 147, 3]),
    person("BR", [177, 32, 10]),
    person("AR", [190, 191, 10]),
    person("CL", [190, 160, 10]),
    person("CO", [181, 49, 10]),
    person("DE", [84, 128, 10]),
    person("DE", [91, 10, 20]),
    person("DE", [141, 84, 10]),
    person("FR", [90, 0, 10]),
    person("FR", [82, 64, 10]),
    person("GB", [86, 128, 10]),
    person("GB", [81, 96, 10]),
    person("IT", [79, 0, 10]),
    person("ES", [83, 32, 10]),
    person("PL", [83, 0, 10]),
    person("NL", [145, 97, 10]),
    person("SE", [130, 237, 10]),
    person("CH", [129, 132, 10]),
    person("AT", [80, 108, 10]),
    person("TR", [78, 160, 10]),
    person("ZA", [196, 25, 10]),
    person("EG", [41, 32, 10]),
    person("NG", [197, 210, 10]),
    person("KE", [196, 201, 210]),
    person("IN", [117, 192, 10]),
    person("IN", [49, 32, 10]),
    person("SG", [137, 132, 10]),
    person("SG", [116, 86, 10]),
    person("MY", [175, 136, 10]),
    person("ID", [114, 120, 10]),
    person("TH", [171, 96, 10]),
    person("VN", [14, 160, 10]),
    person("PH", [112, 198, 10]),
    person("JP", [126, 0, 10]),
    person("JP", [133, 11, 10]),
    person("KR", [147, 46, 10]),
    person("TW", [140, 112, 10]),
    person("AU", [1, 120, 10]),
    person("AU", [130, 102, 10]),
    person("NZ", [130, 216, 10]),
];

const fn person(country: &'static str, network: [u8; 3]) -> Person {
    Person { country, network }
}

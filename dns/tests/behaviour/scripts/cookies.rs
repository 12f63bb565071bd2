//! DNS cookies, with the secret and the numbers of RFC 9018 appendix A.

use windrose_dns::{BadCookie, Cookies, Manners, Secret};

use super::play::{ask_with, play, play_with};
use crate::world::table;

fn manners(badcookie: BadCookie) -> Manners {
    let secrets = Secret::read_all("e5e973e5a6b2a43f48e7dc849e37bfcf").unwrap();
    Manners {
        cookies: Cookies::new(secrets, badcookie),
        ..Manners::default()
    }
}

#[test]
fn a_client_learns_a_cookie_and_shows_it() {
    play_with(
        &table(),
        &manners(BadCookie::Off),
        "
        # RFC 9018 appendix A.1: learning a new server cookie.
        ? www.example.com AAAA from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c957
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480
        # Section 4.3: a cookie younger than half an hour is given back as it is.
        ? www.example.com AAAA from=198.51.100.100 now=1559731986 option=10:2464c4abcf10c957010000005cf79f111f8130c3eee29480
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480
        # Appendix A.2: the same client learning a renewed one.
        ? www.example.com AAAA from=198.51.100.100 now=1559734385 option=10:2464c4abcf10c957010000005cf79f111f8130c3eee29480
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf7a871d4a564a1442aca77
        # RFC 7873 section 5.2.1: without the option as if there were no cookies.
        ? www.example.com AAAA edns=1232
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        # Section 5.2: of several only the first is considered.
        ? www.example.org A from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c957 option=10:01
        REFUSED rd www.example.org. A
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480 ede 20
        # Section 5.2.2: too short, or of no length that is valid: FORMERR.
        ? www.example.com AAAA option=10:2464c4abcf10c9
        FORMERR rd www.example.com. AAAA
        opt 1232 version 0
        ? www.example.com AAAA option=10:2464c4abcf10c95701
        FORMERR rd www.example.com. AAAA
        opt 1232 version 0
        ",
    );
}

#[test]
fn a_cookie_that_is_not_valid_is_badcookie_where_the_operator_wants_it() {
    play_with(
        &table(),
        &manners(BadCookie::Always),
        "
        # RFC 7873 section 5.2.3: the server ... sends a response with the BADCOOKIE error code, with
        # a valid cookie.
        ? www.example.com AAAA from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c957
        BADCOOKIE rd www.example.com. AAAA
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480
        ? www.example.com AAAA from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c957010000005cf79f111f8130c3eee29480
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480
        # An older form, or another server's: not valid, and no error.
        ? www.example.com AAAA from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c9570102030405060708
        BADCOOKIE rd www.example.com. AAAA
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480
        # Never over TCP (section 5.2.3), and never without the option.
        ? www.example.com AAAA tcp from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c957
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480
        ? www.example.com AAAA
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        ",
    );
}

#[test]
fn a_query_without_a_question_fetches_a_cookie() {
    play_with(
        &table(),
        &manners(BadCookie::Off),
        "
        # RFC 7873 section 5.4: the QUERY opcode behavior is extended to support queries with an empty
        # Question Section ... provided that an OPT record is present with a COOKIE option.
        ? . A questions=0 from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c957
        NOERROR rd
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480
        # If the Server Cookie is invalid: BADCOOKIE; NOERROR if it is valid.
        ? . A questions=0 from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c957010000005cf79f111f8130c3eee29481
        BADCOOKIE rd
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480
        ? . A questions=0 from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c957010000005cf79f111f8130c3eee29480
        NOERROR rd
        opt 1232 version 0 cookie 2464c4abcf10c957010000005cf79f111f8130c3eee29480
        ? . A questions=0 edns=1232
        FORMERR rd
        opt 1232 version 0
        ",
    );
    play(
        &table(),
        "
        # Who does no cookies does not see them.
        ? . A questions=0 option=10:2464c4abcf10c957
        FORMERR rd
        opt 1232 version 0
        ",
    );
}

#[test]
fn who_has_not_proved_its_address_gets_small_answers() {
    let manners = Manners {
        unproven_size: Some(256),
        ..manners(BadCookie::Off)
    };
    let text = |question: &str| ask_with(&table(), &manners, question);
    let valid = "from=198.51.100.100 now=1559731985 option=10:2464c4abcf10c957010000005cf79f111f8130c3eee29480";
    for (small, options) in [
        (true, ""),
        (true, "edns=1232"),
        (true, "option=10:2464c4abcf10c957"),
        (false, valid),
        (false, "tcp"),
    ] {
        let got = text(&format!("crowd.example.com A {options}"));
        assert_eq!(got.contains(" tc "), small, "{options}: {got}");
    }
}

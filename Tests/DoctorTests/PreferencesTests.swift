import Testing

@testable import Doctor

@Suite("The configuration file")
struct PreferencesTests {
    @Test func nothingSaidSilencesNothing() throws {
        for text in ["", "[doctor]", "# none", "[doctor]\nsilence = []"] {
            #expect(try Preferences(toml: text) == Preferences())
        }
    }

    @Test func rulesAreSilencedAltogetherOrForOne() throws {
        let preferences = try Preferences(
            toml: "[doctor]\nsilence = [\"host-aio-max-nr\", \"dataplane-off@lun:vd0\"]")
        #expect(preferences.silences.silence("host-aio-max-nr", "host"))
        #expect(preferences.silences.silence("dataplane-off", "lun:vd0"))
        #expect(!preferences.silences.silence("dataplane-off", "lun:vd1"))
        #expect(preferences.unknownRules.isEmpty)
    }

    @Test func aRuleThatThereIsNotIsNamed() throws {
        let preferences = try Preferences(toml: "[doctor]\nsilence = [\"no-such@vm\"]")
        #expect(preferences.unknownRules == ["no-such"])
    }

    @Test(arguments: [
        ("doctor = 1", "[doctor]"), ("[doctor]\nsilence = 1", "list"),
        ("[doctor]\nsilence = [1]", "list"), ("[doctor]\nloud = []", "doctor.loud"),
        ("colour = 1", "colour"), ("[doctor", "TOML"),
    ])
    func whatMeansNothingIsToldByName(_ text: String, _ word: String) {
        let error = #expect(throws: PreferencesError.self) { try Preferences(toml: text) }
        #expect(error?.problem.contains(word) == true)
    }
}

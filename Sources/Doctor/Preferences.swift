internal import TOMLKit

/// What a user has told the doctor in the configuration file (docs/doctor.md):
///
///     [doctor]
///     silence = ["host-ksm-active", "dataplane-off@lun:vd0"]
public struct Preferences: Sendable, Equatable {
    public var silences = Silences()
    /// Rules that are silenced and that there are none of: perhaps mistyped, perhaps of another
    /// version.
    public private(set) var unknownRules: [String] = []

    /// Nothing wished.
    public init() {}

    /// Reads the text of a configuration file. Throws `PreferencesError` for what is no TOML, and
    /// for keys and values that mean nothing.
    public init(toml text: String) throws(PreferencesError) {
        let root: TOMLTable
        do { root = try TOMLTable(string: text) } catch {
            throw PreferencesError(problem: "no TOML: \(error)")
        }
        for key in root.keys where key != "doctor" {
            throw PreferencesError(problem: "\(key) is not a key; there is [doctor]")
        }
        guard let section = root["doctor"] else { return }
        guard let doctor = section.table else {
            throw PreferencesError(problem: "doctor must be a table: [doctor]")
        }
        for key in doctor.keys where key != "silence" {
            throw PreferencesError(problem: "doctor.\(key) is not a key; there is silence")
        }
        guard let list = doctor["silence"] else { return }
        guard let words = list.array?.map({ $0.string }), !words.contains(nil) else {
            throw PreferencesError(
                problem: "doctor.silence must be a list of rules: [\"RULE\", \"RULE@lun:vd0\"]")
        }
        let known = words.compactMap(\.self)
        silences = Silences(known)
        unknownRules = known.map { String($0.prefix { $0 != "@" }) }
            .filter { Rule.named($0) == nil }
    }
}

/// Why a configuration file cannot be used.
public struct PreferencesError: Error, Equatable, CustomStringConvertible {
    public let problem: String

    public var description: String { problem }
}

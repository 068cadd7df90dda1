/// Where each option of a configuration stands, in words for a screen: options of a command line
/// where they are themselves, those made of a domain's XML at the element and attribute.
struct FactOrigins: Sendable, Equatable {
    /// The configuration as a whole: `command line`, `domain XML`.
    let document: String
    private var places: [String: String] = [:]

    init(_ document: String) { self.document = document }

    /// `option` of the object called `id`, the VM itself for `nil`, stands at `place`.
    mutating func note(_ option: String, of id: String? = nil, at place: String) {
        places[Self.key(option, id)] = document + " " + place
    }

    /// Where `option` of `id` stands, in the words of a command line unless it was noted. `kind` is
    /// the option it is a part of, `-device`, and `name` what `id` is called there.
    func source(
        _ option: String, of id: String? = nil, in kind: String, called name: String? = nil
    ) -> String {
        if let place = places[Self.key(option, id)] { return clean(place) }
        let words = [document, kind, name ?? id, option].compactMap { $0 }
        // Features of CPUs have their sign in front.
        let isSigned = option.hasPrefix("+") || option.hasPrefix("-")
        return clean(words.joined(separator: " ")) + (isSigned ? "" : "=")
    }

    /// Where the value that stands first in `kind` and needs no name is, `option` as it is noted.
    func source(ofFirst option: String, in kind: String) -> String {
        places[Self.key(option, nil)].map(clean) ?? document + " " + kind
    }

    /// Where nothing is said of `option`, so that QEMU decides.
    func absence(of option: String) -> String { "\(document): no \(option)=, QEMU's default" }

    /// Whether a place of its own is known for `option` of `id`.
    func isNoted(_ option: String, of id: String?) -> Bool {
        places[Self.key(option, id)] != nil
    }

    /// Where the medium of the disk `id` is described.
    func place(of id: String) -> String {
        places[Self.key("driver", id)].map(clean) ?? document
    }

    private static func key(_ option: String, _ id: String?) -> String {
        (id ?? "") + "\n" + option
    }
}

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
    /// the option it is a part of: `-device`.
    func source(_ option: String, of id: String? = nil, in kind: String? = nil) -> String {
        if let place = places[Self.key(option, id)] { return clean(place) }
        let words = [document, kind, id, option].compactMap { $0 }
        return clean(words.joined(separator: " ")) + "="
    }

    /// Whether a place of its own is known for `option` of `id`.
    func isNoted(_ option: String, of id: String?) -> Bool {
        places[Self.key(option, id)] != nil
    }

    /// Where the medium of the disk `id` is described.
    func place(of id: String) -> String {
        isNoted("driver", of: id) ? source("driver", of: id) : document
    }

    private static func key(_ option: String, _ id: String?) -> String {
        (id ?? "") + "\n" + option
    }
}

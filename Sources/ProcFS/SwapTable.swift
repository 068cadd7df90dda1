/// Where pages are swapped to (/proc/swaps).
public struct SwapTable: Sendable, Equatable {
    /// One place.
    public struct Place: Sendable, Equatable {
        /// A device or file, fit for a screen; a file whose name was removed ends with
        /// ` (deleted)`.
        public let path: String
        /// A block device, and not a file.
        public let isDevice: Bool
    }

    /// In the file's order.
    public let places: [Place]

    /// Parses the file's text. Throws for a line that is cut short or has no type.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "swaps")
        var places: [Place] = []
        // The first line names the columns.
        fields.skipLine(in: text)
        while fields.position < text.count {
            let path = try MountTable.escapedWord("Filename", &fields, in: text)
            let type = try fields.word("Type", in: text)
            places.append(Place(path: path, isDevice: type == "partition"))
            guard fields.lineEnd(in: text) < text.count else { throw fields.error("newline") }
            fields.skipLine(in: text)
        }
        self.places = places
    }
}

internal import CLibraries

/// An element of an XML document, with what is in it.
public struct XMLElement: Sendable, Equatable {
    public var name: String
    public var attributes: [String: String]
    public var children: [XMLElement] = []
    /// Its own characters, those of its children left out, without blanks at the ends.
    public var text = ""

    /// An empty element.
    public init(_ name: String, _ attributes: [String: String] = [:]) {
        self.name = name
        self.attributes = attributes
    }

    /// The first child of this name.
    public subscript(name: String) -> XMLElement? { children.first { $0.name == name } }

    /// All children of this name.
    public func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }
}

extension XMLElement {
    /// Elements deeper than this, or more of them, are no configuration.
    fileprivate static let depthLimit = 64
    fileprivate static let countLimit = 100_000

    /// Reads a document and gives its root. Documents that define a type or entities are refused:
    /// nothing that is read here needs them. Throws the parser's words, with the line.
    public init(document bytes: [UInt8]) throws(LibraryError) {
        let builder = TreeBuilder()
        guard let parser = unsafe XML_ParserCreate(nil) else {
            throw LibraryError(library: "expat", reason: "no memory")
        }
        defer { unsafe XML_ParserFree(parser) }
        // SAFETY: the builder outlives the parser, which is used in this function only.
        unsafe XML_SetUserData(parser, Unmanaged.passUnretained(builder).toOpaque())
        unsafe XML_SetElementHandler(
            parser,
            { data, name, attributes in unsafe treeBuilder(data)?.begin(name, attributes) },
            { data, _ in unsafe treeBuilder(data)?.end() })
        unsafe XML_SetCharacterDataHandler(parser) { data, text, count in
            unsafe treeBuilder(data)?.add(text, count)
        }
        unsafe XML_SetStartDoctypeDeclHandler(parser) { data, _, _, _, _ in
            unsafe treeBuilder(data)?.refuse("document types are not read")
        }
        // SAFETY: expat copies what it keeps of the bytes.
        let status = unsafe bytes.withUnsafeBytes { buffer in
            unsafe XML_Parse(
                parser, buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(clamping: buffer.count), 1)
        }
        let line = unsafe XML_GetCurrentLineNumber(parser)
        if let refusal = builder.refusal {
            throw LibraryError(library: "expat", reason: refusal)
        }
        guard status != XML_STATUS_ERROR, let root = builder.root else {
            let words = unsafe XML_ErrorString(XML_GetErrorCode(parser)).map {
                unsafe String(cString: $0)
            }
            throw LibraryError(
                library: "expat", reason: "line \(line): \(words ?? "no XML document")")
        }
        self = root
    }

    /// What is read so far.
    fileprivate final class TreeBuilder {
        private(set) var root: XMLElement?
        private(set) var refusal: String?
        private var open: [XMLElement] = []
        private var count = 0

        func refuse(_ reason: String) { refusal = refusal ?? reason }

        func begin(
            _ name: UnsafePointer<CChar>?,
            _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
        ) {
            count += 1
            if open.count >= XMLElement.depthLimit || count > XMLElement.countLimit {
                refuse("too many elements")
            }
            guard refusal == nil, let name = unsafe name else { return }
            var element = unsafe XMLElement(String(cString: name))
            // SAFETY: names and values by turns, up to a null pointer.
            var next = unsafe attributes
            while let key = unsafe next?.pointee, let value = unsafe next?.advanced(by: 1).pointee {
                unsafe element.attributes[String(cString: key)] = String(cString: value)
                unsafe next = next?.advanced(by: 2)
            }
            open.append(element)
        }

        func add(_ text: UnsafePointer<CChar>?, _ count: Int32) {
            guard refusal == nil, !open.isEmpty, let text = unsafe text else { return }
            // SAFETY: so many bytes are there, UTF-8, without an end of their own.
            let bytes = unsafe UnsafeBufferPointer(start: text, count: Int(count))
            open[open.count - 1].text += unsafe String(
                decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        func end() {
            guard refusal == nil, var element = open.popLast() else { return }
            element.text = element.text.withoutBlankEnds
            if open.isEmpty {
                root = element
            } else {
                open[open.count - 1].children.append(element)
            }
        }
    }
}

/// The builder that `data` of a callback stands for.
private func treeBuilder(_ data: UnsafeMutableRawPointer?) -> XMLElement.TreeBuilder? {
    // SAFETY: what `XML_SetUserData` was given, which lives as long as the parser calls.
    unsafe data.map {
        unsafe Unmanaged<XMLElement.TreeBuilder>.fromOpaque($0).takeUnretainedValue()
    }
}

extension String {
    fileprivate var withoutBlankEnds: String {
        let start = drop { $0.isWhitespace }
        guard let end = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...end])
    }
}

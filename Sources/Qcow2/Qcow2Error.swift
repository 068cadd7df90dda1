/// Why an image, or a place in it, cannot be used.
public struct Qcow2Error: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of trouble it is, for who decides by it.
    public enum Kind: Sendable, Equatable {
        /// The bytes are no qcow2 image.
        case notAnImage
        /// A valid image that uses what is not implemented here.
        case unsupported
        /// Metadata contradict themselves or the file.
        case corrupt
        /// The image may be read and not written.
        case readOnly
        /// The storage below failed.
        case storage
    }
    public let kind: Kind
    public let description: String

    /// An error of `kind`, told in `description`.
    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

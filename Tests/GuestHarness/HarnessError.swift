import Glibc

/// What went wrong between the tests and their guest, with what the guest last said.
public struct HarnessError: Error, CustomStringConvertible {
    public var description: String

    public init(_ description: String) {
        self.description = description
    }

    /// A system call that failed, with the name of the error.
    static func systemCall(_ name: String, _ subject: String, code: Int32) -> HarnessError {
        HarnessError("\(name) \(subject): \(unsafe String(cString: strerror(code)))")
    }
}

internal import Kernel
internal import SystemPackage

extension RecordingError {
    /// What the kernel refused on `path`.
    init(_ error: KernelError, path: String?) {
        var error = error
        error.subject = nil
        self.init(.system, path: path, reason: error.description)
        isOutOfSpace = error.errno == .noSpace || error.errno == .diskQuotaExceeded
    }
}

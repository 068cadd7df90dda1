internal import Kernel
internal import ProcFS
internal import SystemPackage

/// The kernel's list of tracepoints, as tracefs shows it.
struct Tracefs {
    /// How files are read.
    let read: (String) throws(KernelError) -> [UInt8]

    /// Where it is mounted: by itself, or in debugfs.
    static let places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]

    /// Why a tracepoint cannot be had, and what would help.
    struct Failure: Error {
        var reason: String
        var remedy: String?
    }

    /// The number and the fields of a tracepoint.
    func format(system: String, name: String) throws(Failure) -> TracepointFormat {
        var cause: KernelError?
        for place in Self.places {
            do {
                let text = try read("\(place)/events/\(system)/\(name)/format")
                do {
                    return try TracepointFormat(text.span)
                } catch {
                    throw Failure(reason: "\(system):\(name): \(error)", remedy: nil)
                }
            } catch let error as KernelError {
                // The place that is there says more than the one that is not.
                if cause == nil || error.errno != .noSuchFileOrDirectory { cause = error }
            } catch let error as Failure {
                throw error
            } catch {}
        }
        throw failure(cause, system: system, name: name)
    }

    private func failure(_ cause: KernelError?, system: String, name: String) -> Failure {
        if let cause, cause.errno != .noSuchFileOrDirectory {
            return Failure(
                reason: "cannot read tracefs: \(cause.errno)",
                remedy: "run as root, or with CAP_PERFMON and CAP_DAC_READ_SEARCH")
        }
        let isMounted = Self.places.contains { (try? read($0 + "/events/header_page")) != nil }
        guard isMounted else {
            return Failure(
                reason: "tracefs is not mounted",
                remedy: "mount -t tracefs tracefs /sys/kernel/tracing")
        }
        return Failure(
            reason: "this kernel has no event \(system):\(name)",
            remedy: system == "kvm" ? "load the kvm module (modprobe kvm)" : nil)
    }
}

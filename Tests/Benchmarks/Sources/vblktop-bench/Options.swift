import Foundation

/// What the command line asks for.
struct Options {
    /// Shorter and fewer rounds: to see that everything runs, not to quote.
    var isQuick = false
    /// Exit with 1 if a bar fails.
    var isStrict = false
    /// Only benchmarks of these names.
    var only: [String] = []
    var json: String?
    var diskDirectory = "/var/tmp"
    var tmpfsDirectory = "/dev/shm"
    var program = ".build/release/vblktop"
    var fio = "fio"

    static let usage = """
        usage: vblktop-bench [--quick] [--strict] [--only NAME]… [--json FILE] [--disk-dir DIR]
                             [--tmpfs-dir DIR] [--program FILE]
        """

    struct Mistake: Error { let text: String }

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        func value(of option: String) throws -> String {
            guard let value = rest.popFirst() else {
                throw Mistake(text: "\(option) needs a value")
            }
            return value
        }
        while let option = rest.popFirst() {
            switch option {
            case "--quick": isQuick = true
            case "--strict": isStrict = true
            case "--only": only.append(try value(of: option))
            case "--json": json = try value(of: option)
            case "--disk-dir": diskDirectory = try value(of: option)
            case "--tmpfs-dir": tmpfsDirectory = try value(of: option)
            case "--program": program = try value(of: option)
            default: throw Mistake(text: "unknown option \(option)")
            }
        }
    }

    /// Rounds of a paired measurement.
    var rounds: Int { isQuick ? 3 : 7 }
    /// Seconds of one window.
    var seconds: Double { isQuick ? 0.5 : 1.5 }
    /// Seconds over which a program on a terminal is watched.
    var watchSeconds: Double { isQuick ? 5 : 20 }
}

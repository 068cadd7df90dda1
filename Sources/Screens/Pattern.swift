/// A regular expression that always ends: it walks all alternatives at once, a step per character
/// of the text, so that no pattern a user types can hang the screen.
///
/// Understands `.` `*` `+` `?` `|` `(…)` `[a-z]` `[^…]` `^` `$` and `\` before any of them, `\d`
/// and `\w`. ASCII letters match in either case. Searches anywhere in the text.
struct Pattern: Sendable {
    /// What is wrong with a pattern, for the user.
    struct Problem: Error, CustomStringConvertible { let description: String }

    private enum Step: Sendable {
        case take(Set)
        case start, end
        /// Goes on at both places.
        case fork(Int, Int)
        case jump(Int)
        case found
    }
    /// Ranges of scalars, or all others.
    private struct Set: Sendable {
        var ranges: [ClosedRange<UInt32>]
        var isInverted = false
        func contains(_ scalar: UInt32) -> Bool {
            ranges.contains { $0.contains(scalar) } != isInverted
        }
    }
    private var steps: [Step] = []
    /// Longer patterns, and deeper nesting, are refused: both bound the work of a match.
    private static let longest = 128
    private static let deepest = 16

    /// Compiles `text`; throws a sentence on what is wrong with it.
    init(_ text: String) throws(Problem) {
        let scalars = Array(text.lowercased().unicodeScalars)
        guard scalars.count <= Self.longest else {
            throw Problem(description: "pattern is longer than \(Self.longest) characters")
        }
        var rest = scalars[...]
        steps = try Self.alternatives(&rest, depth: 0)
        guard rest.isEmpty else { throw Problem(description: "`)` without `(`") }
        steps.append(.found)
    }

    /// Whether it is found in `text`; looks at the first 1024 characters.
    func matches(_ text: String) -> Bool {
        let scalars = text.unicodeScalars.prefix(1024).map { lowercase($0.value) }
        var states: [Bool] = Array(repeating: false, count: steps.count)
        for position in 0...scalars.count {
            enter(0, at: position, of: scalars.count, &states)
            if states[steps.count - 1] { return true }
            guard position < scalars.count else { break }
            var next = Array(repeating: false, count: steps.count)
            for (index, isActive) in states.enumerated() where isActive {
                if case .take(let set) = steps[index], set.contains(scalars[position]) {
                    enter(index + 1, at: position + 1, of: scalars.count, &next)
                }
            }
            states = next
        }
        return false
    }

    /// Activates a step and all that follow it without taking a character.
    private func enter(_ first: Int, at position: Int, of count: Int, _ states: inout [Bool]) {
        var pending = [first]
        while let index = pending.popLast() {
            if states[index] { continue }
            states[index] = true
            switch steps[index] {
            case .take, .found: break
            case .jump(let target): pending.append(index + target)
            case .fork(let one, let other): pending += [index + other, index + one]
            case .start: if position == 0 { pending.append(index + 1) }
            case .end: if position == count { pending.append(index + 1) }
            }
        }
    }

    private func lowercase(_ scalar: UInt32) -> UInt32 {
        (65...90).contains(scalar) ? scalar + 32 : scalar
    }

    // MARK: Compiling. Jumps are relative, so that parts can be put together.

    private typealias Rest = ArraySlice<Unicode.Scalar>

    private static func alternatives(_ rest: inout Rest, depth: Int) throws(Problem) -> [Step] {
        guard depth <= deepest else { throw Problem(description: "too many nested `(`") }
        var result = try sequence(&rest, depth: depth)
        while rest.first == "|" {
            rest.removeFirst()
            let other = try sequence(&rest, depth: depth)
            result = [.fork(1, result.count + 2)] + result + [.jump(other.count + 1)] + other
        }
        return result
    }

    private static func sequence(_ rest: inout Rest, depth: Int) throws(Problem) -> [Step] {
        var result: [Step] = []
        while let next = rest.first, next != "|", next != ")" {
            rest.removeFirst()
            result += repeated(try atom(next, &rest, depth: depth), &rest)
        }
        return result
    }

    private static func repeated(_ atom: [Step], _ rest: inout Rest) -> [Step] {
        var result = atom
        while let sign = rest.first, sign == "*" || sign == "+" || sign == "?" {
            rest.removeFirst()
            let count = result.count
            switch sign {
            case "*": result = [.fork(1, count + 2)] + result + [.jump(-count - 1)]
            case "+": result += [.fork(-count, 1)]
            default: result = [.fork(1, count + 1)] + result
            }
        }
        return result
    }

    private static func atom(
        _ first: Unicode.Scalar, _ rest: inout Rest, depth: Int
    ) throws(Problem) -> [Step] {
        switch first {
        case "^": return [.start]
        case "$": return [.end]
        case ".": return [.take(Set(ranges: [], isInverted: true))]
        case "*", "+", "?": throw Problem(description: "`\(first)` with nothing to repeat")
        case "[": return [.take(try set(&rest))]
        case "(":
            let inner = try alternatives(&rest, depth: depth + 1)
            guard rest.popFirst() == ")" else { throw Problem(description: "`(` without `)`") }
            return inner
        case "\\":
            guard let escaped = rest.popFirst() else {
                throw Problem(description: "`\\` at the end")
            }
            return [.take(escape(escaped))]
        default: return [.take(Set(ranges: [first.value...first.value]))]
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> Set {
        switch scalar {
        case "d": Set(ranges: [48...57])
        case "w": Set(ranges: [48...57, 97...122, 95...95])
        default: Set(ranges: [scalar.value...scalar.value])
        }
    }

    private static func set(_ rest: inout Rest) throws(Problem) -> Set {
        var result = Set(ranges: [])
        if rest.first == "^" {
            rest.removeFirst()
            result.isInverted = true
        }
        while let first = rest.popFirst() {
            if first == "]" && !result.ranges.isEmpty { return result }
            guard rest.first == "-", let last = rest.dropFirst().first, last != "]" else {
                result.ranges.append(first.value...first.value)
                continue
            }
            rest.removeFirst(2)
            guard first.value <= last.value else {
                throw Problem(description: "`\(first)-\(last)` runs backwards")
            }
            result.ranges.append(first.value...last.value)
        }
        throw Problem(description: "`[` without `]`")
    }
}

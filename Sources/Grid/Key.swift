/// A key as the views know it, whatever escape sequence the terminal sent for it.
public enum Key: Sendable, Hashable {
    /// A printable character, the space included.
    case character(Character)
    /// Control and a letter, lower case: `control("l")` is Ctrl-L.
    case control(Character)
    case up, down, left, right
    case home, end, pageUp, pageDown
    case insert, delete, backspace, enter, tab, backTab, escape
    /// F1…F12, also as Escape and a digit for keyboards and multiplexers that keep F-keys.
    case function(Int)
    /// A mouse press at a 0-based cell; `wheel` is −1 (up), 0 (a click) or 1 (down).
    case mouse(row: Int, column: Int, wheel: Int)
}

extension Rule {
    static let toolRules: [Rule] = []
}

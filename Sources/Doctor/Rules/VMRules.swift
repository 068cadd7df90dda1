extension Rule {
    static let vmRules: [Rule] = []
}

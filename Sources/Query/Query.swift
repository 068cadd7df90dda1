/// SQL over recordings: tables of seconds, requests and marks in an SQLite database that lives as
/// long as the question.

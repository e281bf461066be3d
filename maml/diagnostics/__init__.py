"""Does a learner memorize? Scores, metrics and the report that reads them."""

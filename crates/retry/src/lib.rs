//! Retry schedules, budgets and the one retry driver.

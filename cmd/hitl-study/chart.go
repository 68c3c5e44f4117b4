package main

func chart(report) string { return "" }

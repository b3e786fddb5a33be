package algorithm

func Apply(name string) (string, error) {
	return "Hello " + name, nil
}

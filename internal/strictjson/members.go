package strictjson

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// members returns a function that finds the member of dst, a struct or a map, with exactly the given name: where to
// read its value to, and what to call when that is done. The value is invalid when there is no such member. A map is
// copied first, since its entries belong to the caller.
func members(dst reflect.Value) (func(name string) (field reflect.Value, store func()), error) {
	if dst.Kind() == reflect.Struct {
		index, err := fields(dst.Type())
		return func(name string) (reflect.Value, func()) {
			if i, ok := index[name]; ok {
				return dst.FieldByIndex(i), func() {}
			}
			return reflect.Value{}, nil
		}, err
	}
	t := dst.Type()
	if t.Key().Kind() != reflect.String || reflect.PointerTo(t.Key()).Implements(textUnmarshaler) {
		return nil, unsupported(t)
	}
	fresh := reflect.MakeMap(t)
	for it := dst.MapRange(); it.Next(); {
		fresh.SetMapIndex(it.Key(), it.Value())
	}
	dst.Set(fresh)
	return func(name string) (reflect.Value, func()) {
		entry := reflect.New(t.Elem()).Elem()
		return entry, func() { fresh.SetMapIndex(reflect.ValueOf(name).Convert(t.Key()), entry) }
	}, nil
}

// fields returns where the fields of t are, by their JSON names, those of embedded structs included.
func fields(t reflect.Type) (map[string][]int, error) {
	index := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		tag := f.Tag.Get("json")
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct && tag == "":
			continue // its own fields follow
		case !f.Anonymous && (tag == "-" || !f.IsExported()):
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		// encoding/json has rules for these that nobody knows by heart. To guess them wrong could let a client set a
		// field that was meant to be out of reach, so they are mistakes here.
		if f.Anonymous || index[name] != nil || strings.Contains(options, "string") {
			return nil, fmt.Errorf("%w: field %s", unsupported(t), f.Name)
		}
		index[name] = f.Index
	}
	return index, nil
}

// unsupported returns the error for a destination that this package can't fill. It is no [Error]: the client has done
// nothing wrong.
func unsupported(t reflect.Type) error {
	return fmt.Errorf("strictjson: decoding: unsupported type %v", t)
}

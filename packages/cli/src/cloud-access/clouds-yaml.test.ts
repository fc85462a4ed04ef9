import { cloudsYaml } from '@nova-hyperv/cloud';
import { describe, expect, it } from 'vitest';
import { parseCloudsYaml, type YamlMapping, type YamlValue } from './clouds-yaml.js';

const plain = (value: YamlValue | undefined): unknown =>
  value instanceof Map
    ? Object.fromEntries([...(value as YamlMapping)].map(([key, one]) => [key, plain(one)]))
    : value;
const read = (text: string): unknown => plain(parseCloudsYaml(text));

describe('parseCloudsYaml', () => {
  it('reads what this cloud writes', () => {
    const access = {
      url: 'http://h:1',
      username: 'admin',
      password: 'p: "#\\\'x',
      projectName: 'admin',
      region: 'R',
    };
    expect(read(cloudsYaml(access))).toMatchObject({
      clouds: {
        'nova-hyperv': {
          auth: { auth_url: 'http://h:1/identity', password: access.password },
          region_name: 'R',
        },
      },
    });
  });
  it('reads what people write', () => {
    const text = `---
# mine
clouds:
    one:   # the first
        auth:
            auth_url: https://keystone:5000/v3
            password: 'it''s # mine'
            project_name: my project # not yours
        regions:
        - a
        verify: false
    two:
        profile: x
`;
    expect(read(text)).toEqual({
      clouds: {
        one: {
          auth: { auth_url: 'https://keystone:5000/v3', password: "it's # mine", project_name: 'my project' },
          regions: '',
          verify: 'false',
        },
        two: { profile: 'x' },
      },
    });
  });
  it.each(['a: {b: c}', 'a: &x b', 'a: |\n  b', '\ta: b', 'no colon', 'a: "x'])(
    'refuses %j and does not print it',
    (text) => {
      expect(() => read(text)).toThrow(/line 1/);
      expect(() => read(text)).not.toThrow(/no colon|b: c/);
    },
  );
});
